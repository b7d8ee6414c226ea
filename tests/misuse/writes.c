/* writes.c: writes to blocks that were freed; and live blocks whose contents look like those of free ones, which must not
 * alarm. */
#include <stdio.h>
#include <string.h>

#include "misuse.h"

enum { BLOCKS = 4096, SIZE = 64, TAG = 0xF8, ROUNDS = 40 };

static char *blocks[BLOCKS];

static void make_all(void) {
    make_blocks((void **)blocks, BLOCKS, SIZE);
}

/* Half of the blocks are free, and at home in spans that are in use. */
static void free_half_home(void) {
    make_all();
    for (size_t i = 0; i < BLOCKS; i += 2)
        storm_free(blocks[i]);
    collect();
}

static void write_breaks_a_chain(void) {
    free_half_home();
    memset(mark(blocks[2000]), 0x41, SIZE);
    for (size_t i = 0; i < BLOCKS; i++)
        MUST(storm_malloc(SIZE) != NULL);
}

/* One bit, in the part of the link that names the next block. */
static void one_bit_breaks_a_chain(void) {
    free_half_home();
    ((char *)mark(blocks[2000]))[2] ^= 1;
    for (size_t i = 0; i < BLOCKS; i++)
        MUST(storm_malloc(SIZE) != NULL);
}

static void write_seen_by_collect(void) {
    free_half_home();
    memset(mark(blocks[2000]), 0x41, SIZE);
    storm_free(blocks[2001]);
    collect();
}

/* A magazine is popped without a look: what was written is followed, and leads nowhere. */
static void write_to_a_cached_block(void) {
    make_all();
    storm_free(blocks[0]);
    storm_free(blocks[1]);
    memset(mark(blocks[0]), 0x41, SIZE);
    for (size_t i = 0; i < BLOCKS; i++)
        MUST(storm_malloc(SIZE) != NULL);
}

/* Behind its first word emma does not use a free block. */
static void write_behind_the_first_word(void) {
    make_all();
    for (size_t i = 0; i < BLOCKS; i++)
        storm_free(blocks[i]);
    make_all();
    for (size_t i = 0; i < BLOCKS; i += 2)
        storm_free(blocks[i]);
    for (size_t i = 0; i < BLOCKS; i += 2)
        memset(blocks[i] + 8, 0x41, SIZE - 8);
    for (size_t i = 0; i < BLOCKS / 2; i++)
        MUST(storm_malloc(SIZE) != NULL);
}

/* Seconds for freeing and making all blocks, the first word of every n-th filled by fill. */
static double cost(size_t n, void (*fill)(char *block, size_t i)) {
    double start = storm_seconds();
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            memset(blocks[i], 0, 16);
            if (n != 0 && i % n == 0)
                fill(blocks[i], i);
        }
        for (size_t i = 0; i < BLOCKS; i++)
            storm_free(blocks[i]);
        make_all();
    }
    return (storm_seconds() - start) / ((double)ROUNDS * BLOCKS);
}

static uint64_t random_state = 1;

static void fill_random(char *block, size_t i) {
    (void)i;
    uint64_t word = (storm_random(&random_state) & ~UINT64_C(0xFF00)) | TAG << 8;
    memcpy(block, &word, sizeof word);
}

/* Exactly what a free block of a magazine would hold: tag, room, and a block of the same class. */
static void fill_perfect(char *block, size_t i) {
    uint64_t word = (uint64_t)(uintptr_t)blocks[(i + 1) % BLOCKS] << 16 | TAG << 8 | 5;
    memcpy(block, &word, sizeof word);
}

/* Exactly what a free block at home would hold. */
static void fill_link(char *block, size_t i) {
    uint64_t word = (uint64_t)(i * 4 % 4096) << 16 | TAG << 8;
    memcpy(block, &word, sizeof word);
}

static void look_alikes(const char *what, size_t n, void (*fill)(char *, size_t)) {
    make_all();
    double plain = cost(0, fill);
    double with = cost(n, fill);
    printf("# %s: %.0f ns for a free and a malloc; without %.0f ns\n", what, with * 1e9, plain * 1e9);
    fflush(stdout);
    MUST(with < plain + 1e-3); /* it ends: no search without bound */
}

static void random_in_1_percent(void) {
    look_alikes("byte 1 is 0xF8 in 1 % of blocks", 100, fill_random);
}

static void random_in_all(void) {
    look_alikes("byte 1 is 0xF8 in all blocks", 1, fill_random);
}

static void perfect_in_1_percent(void) {
    look_alikes("perfect look-alikes in 1 % of blocks", 100, fill_perfect);
}

static void perfect_in_all(void) {
    look_alikes("perfect look-alikes in all blocks", 1, fill_perfect);
}

static void links_in_all(void) {
    look_alikes("look-alikes of blocks at home in all blocks", 1, fill_link);
}

static void all_0xF8(void) {
    make_all();
    for (size_t i = 0; i < BLOCKS; i++)
        memset(blocks[i], TAG, SIZE);
    free_blocks((void **)blocks, BLOCKS);
    make_all();
}

const misuse misuse_writes[] = {
    {"write to a free block, seen when it is used", write_breaks_a_chain, DIES, "a free block was written to"},
    {"one bit of a free block, seen when it is used", one_bit_breaks_a_chain, DIES, "a free block was written to"},
    {"write to a free block, seen by collect", write_seen_by_collect, DIES, "a free block was written to"},
    {"write to a block in the cache leads to no block", write_to_a_cached_block, CRASHES,
     "a free block was written to"},
    {"write behind the first word of free blocks", write_behind_the_first_word, PASSES, ""},
    {"blocks full of 0xF8", all_0xF8, PASSES, ""},
    {"random look-alikes, 1 %", random_in_1_percent, PASSES, ""},
    {"random look-alikes, 100 %", random_in_all, PASSES, ""},
    {"perfect look-alikes, 1 %", perfect_in_1_percent, PASSES, ""},
    {"perfect look-alikes, 100 %", perfect_in_all, PASSES, ""},
    {"look-alikes of links, 100 %", links_in_all, PASSES, ""},
};
const size_t misuse_writes_count = STORM_COUNT(misuse_writes);
