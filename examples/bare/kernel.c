/* kernel.c: the memory of a small kernel: it boots on the riscv64 virt board, finds out what memory is free, and
 * manages it with the bare allocators, each on the one below:
 *
 *     fit     buffers of any size          on a pool of pages
 *     slab    tasks, all of one size       on a page each time one is full
 *     buddy   pages and runs of pages      on all memory but the kernel itself and a device's window
 *     bump    what is needed before there are pages: the metadata of the buddy
 *
 * Four harts then take tasks from one slab at once, behind a lock. */
#include "board.h"
#include "emma_bare.h"

enum { PAGE = 4096, LEVELS = 11, BLOCK = PAGE << (LEVELS - 1), RAM_BYTES = 64 << 20 };

#define RAM ((unsigned char *)0x80000000)

extern unsigned char kernel_end[]; /* kernel.ld */

typedef struct task {
    unsigned hart;
    unsigned round;
    struct task *next;
    unsigned char stack[224];
} task;

static emma_buddy pages;

/* A part of memory that belongs to a device: never handed out, never touched. */
static const size_t window_begin = 48 << 20, window_bytes = 3 << 20;

/* Before there is an allocator of pages, a bump over the memory right behind the kernel. */
static void start_pages(void) {
    emma_buddy_config config = {BLOCK, RAM_BYTES / BLOCK, LEVELS};
    emma_layout layout;
    emma_bump early;
    board_check(emma_buddy_metadata_layout(&config, &layout) == EMMA_BARE_OK, "the geometry");
    board_check(emma_bump_init(&early, kernel_end, 1 << 20, 1) == EMMA_BARE_OK, "the early memory");
    size_t *metadata = emma_bump_allocate(&early, layout.size_bytes, layout.align_bytes);
    emma_buddy_memory memory = {RAM, metadata};
    board_check(emma_buddy_init_empty(&pages, &config, memory) == EMMA_BARE_OK, "the page allocator");
    const emma_buddy_gap gaps[] = {
        {0, (size_t)(kernel_end - RAM) + (1 << 20)},
        {window_begin, window_begin + window_bytes},
    };
    board_check(emma_buddy_add_all_but(&pages, (emma_buddy_gaps){gaps, 2}) == EMMA_BARE_OK, "the free memory");
    board_print("metadata of the pages (bytes): ", layout.size_bytes);
    board_print("memory (KiB): ", RAM_BYTES / 1024);
    board_print("free, without the kernel and the device's window (KiB): ",
                emma_buddy_figures(&pages).capacity_bytes / 1024);
    for (unsigned level = 0; level < LEVELS; level++) {
        size_t count = emma_buddy_free_blocks(&pages, level);
        if (count == 0)
            continue;
        board_say("  ");
        board_number(count);
        board_print(" in runs of pages: ", (size_t)1 << (LEVELS - 1 - level));
    }
}

static void use_pages(void) {
    void *page = emma_buddy_allocate(&pages, PAGE, 1);
    void *run = emma_buddy_allocate(&pages, 5 * (size_t)PAGE, 1);
    void *aligned = emma_buddy_allocate(&pages, PAGE, 1 << 20);
    board_check(page != NULL && run != NULL && aligned != NULL, "three allocations");
    board_print("a run for five pages has (KiB): ", emma_buddy_block_size(&pages, run) / 1024);
    board_print("a page aligned to a mebibyte has (KiB): ", emma_buddy_block_size(&pages, aligned) / 1024);
    board_check(emma_buddy_deallocate(&pages, run) == EMMA_BARE_OK, "a free");
    board_print("the same run freed twice is error: ", (size_t)emma_buddy_deallocate(&pages, run));
    board_print("freeing in the device's window is error: ", (size_t)emma_buddy_deallocate(&pages, RAM + window_begin));
    emma_buddy_deallocate(&pages, page);
    emma_buddy_deallocate(&pages, aligned);
}

/* All harts take tasks from one slab and give them back. The lock is the kernel's; the slab needs no more than that it
 * is held around each call. */
static emma_slab tasks;
static board_lock tasks_lock;
static unsigned done[BOARD_HARTS], spoilt[BOARD_HARTS];

enum { ROUNDS = 1000, AT_ONCE = 3 };

static void run_tasks(unsigned hart) {
    for (unsigned round = 0; round < ROUNDS; round++) {
        task *chain = NULL;
        for (unsigned i = 0; i < AT_ONCE; i++) {
            board_acquire(&tasks_lock);
            task *one = emma_slab_allocate_block(&tasks);
            board_release(&tasks_lock);
            if (one == NULL)
                continue;
            *(volatile unsigned *)&one->hart = hart;
            *(volatile unsigned *)&one->round = round;
            one->next = chain;
            chain = one;
        }
        while (chain != NULL) {
            task *one = chain;
            chain = one->next;
            if (*(volatile unsigned *)&one->hart != hart || *(volatile unsigned *)&one->round != round)
                spoilt[hart]++;
            board_acquire(&tasks_lock);
            done[hart] += emma_slab_deallocate(&tasks, one) == EMMA_BARE_OK;
            board_release(&tasks_lock);
        }
    }
}

static void use_tasks(void) {
    emma_backing on_pages = emma_buddy_backing(&pages);
    board_check(emma_slab_init_in(&tasks, sizeof(task), PAGE / sizeof(task), &on_pages, NULL) == EMMA_BARE_OK,
                "the slab of tasks");
    board_print("tasks in a page: ", emma_slab_num_blocks(&tasks));
    board_parallel(run_tasks);
    size_t all = 0, bad = 0;
    for (unsigned hart = 0; hart < BOARD_HARTS; hart++) {
        all += done[hart];
        bad += spoilt[hart];
    }
    board_print("tasks that four harts ran: ", all);
    board_print("of them spoilt: ", bad);
    board_check(emma_slab_valid(&tasks), "the slab after all that");
    emma_slab_release(&tasks);
}

static void use_buffers(void) {
    static emma_fit buffers;
    emma_backing on_pages = emma_buddy_backing(&pages);
    board_check(emma_fit_init_in(&buffers, 16 * (size_t)PAGE, &on_pages) == EMMA_BARE_OK, "the buffers");
    char *text = emma_fit_allocate(&buffers, 6, 1);
    board_check(text != NULL, "a buffer");
    for (unsigned i = 0; i < 6; i++)
        text[i] = "grown"[i];
    text = emma_fit_reallocate(&buffers, text, 5000, 1);
    board_check(text != NULL && text[4] == 'n' && emma_fit_usable_size(&buffers, text) >= 5000, "a buffer that grew");
    board_check(emma_fit_deallocate(&buffers, text) == EMMA_BARE_OK && emma_fit_valid(&buffers), "the buffers");
    board_print("most used by buffers (bytes): ", buffers.peak_used_bytes);
    emma_fit_release(&buffers);
}

void kernel_main(void) {
    board_say("emma on bare metal: riscv64, four harts\n");
    start_pages();
    use_pages();
    use_tasks();
    use_buffers();
    board_check(emma_buddy_valid(&pages) && emma_buddy_figures(&pages).used_bytes == 0, "every page is back");
    board_say("every page is back\n");
}
