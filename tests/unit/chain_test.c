/* chain_test.c: base/chain.h: the chain word. */
#include "base/chain.h"

#include "../tap.h"
#include "unit.h"

typedef struct block {
    _Alignas(16) uint64_t word[4];
} block;

static block blocks[EMMA_CHAIN_ROOM_MAX];

static void zero_is_empty_and_full(void) {
    OK(emma__chain_is_empty(0));
    IS(emma__chain_room(0), 0);
    OK(emma__chain_first(0) == 0);
}

static void empty_has_room(void) {
    for (unsigned capacity = 0; capacity <= EMMA_CHAIN_ROOM_MAX; capacity++) {
        emma_chain chain = emma__chain_empty(capacity);
        OK(emma__chain_is_empty(chain));
        IS(emma__chain_room(chain), capacity);
    }
}

/* Every capacity, filled to the last block and emptied again: last in, first out; room counts down and up. */
static void pops_what_was_pushed(void) {
    for (unsigned capacity = 1; capacity <= EMMA_CHAIN_ROOM_MAX; capacity++) {
        emma_chain chain = emma__chain_empty(capacity);
        for (unsigned i = 0; i < capacity; i++) {
            chain = emma__chain_push(chain, &blocks[i]);
            IS(emma__chain_room(chain), capacity - i - 1);
            OK(emma__chain_first(chain) == &blocks[i]);
            OK(!emma__chain_is_empty(chain));
        }
        for (unsigned i = capacity; i-- > 0;) {
            OK(emma__chain_first(chain) == &blocks[i]);
            chain = emma__chain_rest(chain);
            IS(emma__chain_room(chain), capacity - i);
        }
        if (!IS(chain, emma__chain_empty(capacity)))
            return;
    }
}

static void writes_the_first_word_only(void) {
    block b = {{1, 2, 3, 4}};
    emma_chain chain = emma__chain_push(emma__chain_empty(3), &b);
    IS(b.word[0], emma__chain_empty(3));
    OK(b.word[1] == 2 && b.word[2] == 3 && b.word[3] == 4);
    OK(emma__chain_first(chain) == &b);
}

static void marks_free_blocks(void) {
    block b = {{0, 0, 0, 0}};
    OK(!emma__chain_looks_free(&b));
    emma_chain chain = emma__chain_push(emma__chain_empty(2), &blocks[0]);
    chain = emma__chain_push(chain, &b);
    OK(emma__chain_looks_free(&b));
    OK(emma__chain_looks_free(&blocks[0]));
    IS(emma__chain_room(chain), 0);
    emma__chain_unmark(&b);
    OK(!emma__chain_looks_free(&b));
    OK(emma__chain_looks_free(&blocks[0]));
}

/* Text and pointers to 16-byte blocks are not taken for free blocks. */
static void live_contents_do_not_look_free(void) {
    block b = {{0, 0, 0, 0}};
    for (unsigned value = 0; value < 0xF800; value += 0x0100) {
        b.word[0] = value;
        OK(!emma__chain_looks_free(&b));
    }
    b.word[0] = UINT64_MAX;
    OK(!emma__chain_looks_free(&b));
}

static void packs_counts(void) {
    for (unsigned count = 0; count <= EMMA_CHAIN_ROOM_MAX; count++) {
        emma_chain chain = emma__chain_push(emma__chain_empty(200), &blocks[count % 100]);
        emma_chain packed = emma__chain_pack(chain, count);
        IS(emma__chain_packed_count(packed), count);
        OK(packed != 0);
        IS(emma__chain_unpack(packed), chain);
        OK(emma__chain_first(packed) == emma__chain_first(chain));
        IS(emma__chain_room(packed), emma__chain_room(chain));
    }
}

/* The highest address that may be: no bit of it reaches tag or room. */
static void holds_48_bits(void) {
    uint64_t highest = ((UINT64_C(1) << 48) - 16) << 16;
    emma_chain chain = highest | (uint16_t)emma__chain_empty(5);
    IS((uintptr_t)emma__chain_first(chain), (UINT64_C(1) << 48) - 16);
    IS(emma__chain_room(chain), 5);
    IS(emma__chain_unpack(emma__chain_pack(chain, 255)), chain);
}

TAP_MAIN({"the word 0 is empty and full at once", zero_is_empty_and_full},
         {"an empty chain has its room", empty_has_room},
         {"push and pop, every capacity to the full", pops_what_was_pushed},
         {"a push writes the first word of the block only", writes_the_first_word_only},
         {"free blocks carry the tag until they leave", marks_free_blocks},
         {"small numbers and all ones do not look free", live_contents_do_not_look_free},
         {"counts are packed beside the chain and taken off again", packs_counts},
         {"addresses of 48 bits", holds_48_bits})
