/* text.c: see text.h. */
#include "base/text.h"

void emma__text_char(emma_text *text, char c) {
    if (text->length_bytes < text->capacity_bytes)
        text->at[text->length_bytes++] = c;
}

void emma__text_str(emma_text *text, const char *string) {
    while (*string != '\0')
        emma__text_char(text, *string++);
}

static void text_number(emma_text *text, uint64_t value, unsigned base) {
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count != 0)
        emma__text_char(text, digits[--count]);
}

void emma__text_u64(emma_text *text, uint64_t value) {
    text_number(text, value, 10);
}

void emma__text_hex(emma_text *text, uint64_t value) {
    emma__text_str(text, "0x");
    text_number(text, value, 16);
}
