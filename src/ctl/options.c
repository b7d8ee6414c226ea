/* options.c: see options.h. */
#include "ctl/options.h"

#include "ctl/cgroup.h"
#include "purge/purge.h"

typedef enum kind { JANITOR, CACHE, SIZE, NUMBER, LIMIT } kind;

typedef struct option {
    const char *key;
    kind kind;
    const char *help;
    size_t offset; /* of the word in emma_heap */
} option;

#define ROW(key, word, kind, help) {#key, kind, help, offsetof(emma_heap, word)},
static const option table[] = {EMMA_OPTIONS(ROW)};
enum { OPTION_COUNT = sizeof table / sizeof table[0] };

/* The values of an option that is a choice; 0 at the end. */
static const char *const choices[][4] = {
    [JANITOR] = {"off", "threads", "on", 0},
    [CACHE] = {"thread", "cpu", 0},
};

static bool is_choice(const option *which) {
    return which->kind == JANITOR || which->kind == CACHE;
}

static _Atomic(size_t) *word_of(emma_heap *heap, const option *which) {
    if (which->kind == LIMIT)
        return &emma__heap_directory(heap)->all.limit_bytes;
    return (_Atomic(size_t) *)(void *)((char *)heap + which->offset);
}

/* Returns: what follows word at text, or NULL if text does not begin with it. */
static const char *skip(const char *text, const char *word) {
    while (*word != '\0')
        if (*text++ != *word++)
            return 0;
    return text;
}

static bool ends(char c) {
    return c == '\0' || c == ',';
}

static const char *parse_choice(const char *text, kind which, size_t *value) {
    for (size_t i = 0; choices[which][i] != 0; i++) {
        const char *end = skip(text, choices[which][i]);
        if (end != 0 && ends(*end)) {
            *value = i;
            return end;
        }
    }
    return 0;
}

static const char *parse_number(const char *text, bool units, size_t *value) {
    size_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (size_t)(*at - '0'), &number))
            return 0;
    unsigned shift = *at == 'K' ? 10 : *at == 'M' ? 20 : *at == 'G' ? 30 : 0;
    if (at == text || (shift != 0 && (!units || number > SIZE_MAX >> shift)))
        return 0;
    *value = number << shift;
    if (!units && number > UINT32_MAX)
        *value = UINT32_MAX;
    at += shift != 0;
    return ends(*at) ? at : 0;
}

static const char *parse_limit(const char *text, size_t *value) {
    const char *end = skip(text, "cgroup");
    if (end == 0 || !ends(*end))
        return parse_number(text, true, value);
    *value = emma__cgroup_limit() / 10 * 9;
    return end;
}

static const char *parse(const char *text, kind which, size_t *value) {
    switch (which) {
    case JANITOR:
    case CACHE:
        return parse_choice(text, which, value);
    case LIMIT:
        return parse_limit(text, value);
    case SIZE:
    case NUMBER:
        break;
    }
    return parse_number(text, which == SIZE, value);
}

/* Parse one "key=value" and apply it. Returns: what follows, or NULL. */
static const char *apply_one(emma_heap *heap, const char *text) {
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const char *value_text = skip(text, table[i].key);
        if (value_text == 0 || *value_text != '=')
            continue;
        size_t value = 0;
        value_text++;
        const char *end = parse(value_text, table[i].kind, &value);
        if (end != 0)
            ATOMIC_STORE(word_of(heap, &table[i]), value, relaxed);
        return end;
    }
    return 0;
}

const char *emma__options_apply(emma_heap *heap, const char *options) {
    while (options != 0 && *options != '\0') {
        const char *end = *options == ',' ? options : apply_one(heap, options);
        if (end == 0)
            return options;
        options = end + (*end == ',');
    }
    return 0;
}

void emma__options_help(emma_heap *heap, emma_text *text) {
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        size_t value = ATOMIC_LOAD(word_of(heap, &table[i]), relaxed);
        emma__text_str(text, table[i].key);
        emma__text_char(text, '=');
        if (is_choice(&table[i]))
            emma__text_str(text, choices[table[i].kind][value]);
        else
            emma__text_u64(text, value);
        emma__text_str(text, "    ");
        emma__text_str(text, table[i].help);
        emma__text_char(text, '\n');
    }
}
