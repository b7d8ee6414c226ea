/* text.h: text into a caller's buffer, without libc and without allocating. What does not fit is cut.
 *
 *     char buffer[80];
 *     emma_text text = emma__text_in(buffer, sizeof buffer);
 *     emma__text_str(&text, "live ");
 *     emma__text_u64(&text, bytes);
 *
 * Threads, signals: any; the buffer is the caller's. */
#ifndef EMMA_BASE_TEXT_H
#define EMMA_BASE_TEXT_H

#include "base/compiler.h"

typedef struct emma_text {
    char *at;
    size_t length_bytes;
    size_t capacity_bytes;
} emma_text;

static inline emma_text emma__text_in(char *buffer, size_t capacity_bytes) {
    return (emma_text){buffer, 0, capacity_bytes};
}

void emma__text_char(emma_text *text, char c);
void emma__text_str(emma_text *text, const char *string);
void emma__text_u64(emma_text *text, uint64_t value);
void emma__text_hex(emma_text *text, uint64_t value); /* with 0x */

#endif
