/* text_test.c: base/text.h: text into a buffer. */
#include "base/text.h"

#include "../tap.h"
#include "unit.h"

static char buffer[64];

static emma_text fresh(size_t capacity) {
    for (size_t i = 0; i < sizeof buffer; i++)
        buffer[i] = '#';
    return emma__text_in(buffer, capacity);
}

static bool reads(const emma_text *text, const char *expected) {
    size_t i = 0;
    for (; expected[i] != '\0'; i++)
        if (i >= text->length_bytes || text->at[i] != expected[i])
            return false;
    return i == text->length_bytes && buffer[i] == '#'; /* nothing is written behind the text, not even a 0 */
}

static void appends(void) {
    emma_text text = fresh(60);
    OK(reads(&text, ""));
    emma__text_char(&text, 'a');
    emma__text_str(&text, "");
    emma__text_str(&text, "bc ");
    OK(reads(&text, "abc "));
}

static void writes_decimals(void) {
    static const struct {
        uint64_t value;
        const char *text;
    } cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {4294967296, "4294967296"}, {UINT64_MAX, "18446744073709551615"}};
    for (unsigned i = 0; i < 5; i++) {
        emma_text text = fresh(60);
        emma__text_u64(&text, cases[i].value);
        OK(reads(&text, cases[i].text));
    }
}

static void writes_hexadecimals(void) {
    static const struct {
        uint64_t value;
        const char *text;
    } cases[] = {{0, "0x0"}, {15, "0xf"}, {16, "0x10"}, {0xDEADBEEF, "0xdeadbeef"}, {UINT64_MAX, "0xffffffffffffffff"}};
    for (unsigned i = 0; i < 5; i++) {
        emma_text text = fresh(60);
        emma__text_hex(&text, cases[i].value);
        OK(reads(&text, cases[i].text));
    }
}

/* At every capacity what fits is the beginning, and nothing behind the end is touched. */
static void cuts_what_does_not_fit(void) {
    static const char whole[] = "at 0x2a: 123456";
    for (size_t capacity = 0; capacity < sizeof whole; capacity++) {
        emma_text text = fresh(capacity);
        emma__text_str(&text, "at ");
        emma__text_hex(&text, 42);
        emma__text_str(&text, ": ");
        emma__text_u64(&text, 123456);
        IS(text.length_bytes, capacity);
        for (size_t i = 0; i < capacity; i++)
            OK(buffer[i] == whole[i]);
        OK(buffer[capacity] == '#');
    }
}

TAP_MAIN({"text is appended, without an end mark", appends}, {"decimal numbers to the largest", writes_decimals},
         {"hexadecimal numbers to the largest", writes_hexadecimals},
         {"what does not fit is cut, at every capacity", cuts_what_does_not_fit})
