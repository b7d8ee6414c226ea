/* settings.c: options of the drop-in, from the environment variable EMMA_CONF, when the library is loaded.
 *
 *     EMMA_CONF=janitor=on,dirty_bytes=64M program       EMMA_CONF=help program
 *
 * A renamed copy (base/config.h) looks at a variable of its own name. What is not understood is named on standard error
 * and otherwise ignored. A program with more rights than its caller does not look (secure_getenv). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/text.h"
#include "override/override.h"

/* There is nothing to be done where standard error takes nothing. */
static void write_error(const char *bytes, size_t size_bytes) {
    ssize_t EMMA_UNUSED written = write(STDERR_FILENO, bytes, size_bytes);
}

static void warn(const char *what) {
    char line[192];
    emma_text text = emma__text_in(line, sizeof line - 1);
    emma__text_str(&text, EMMA_NAME ": " EMMA_NAME_UPPER "_CONF: not understood: ");
    emma__text_str(&text, what);
    emma__text_str(&text, " (" EMMA_NAME_UPPER "_CONF=help)");
    line[text.length_bytes++] = '\n';
    write_error(line, text.length_bytes);
}

static void help(void) {
    char lines[1024];
    size_t length = emma_options_help(lines, sizeof lines);
    write_error(lines, length < sizeof lines ? length : sizeof lines);
}

__attribute__((constructor)) static void read_settings(void) {
    emma_configure("janitor=threads");
    const char *settings = secure_getenv(EMMA_NAME_UPPER "_CONF");
    if (settings == 0)
        return;
    if (strcmp(settings, "help") == 0) {
        help();
        return;
    }
    const char *rest = emma_configure(settings);
    if (rest != 0)
        warn(rest);
}
