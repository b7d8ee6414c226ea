/* temp_file.h: temporary files that vanish when the test ends. */
#ifndef EMMA_TEST_TEMP_FILE_H
#define EMMA_TEST_TEMP_FILE_H

/* Returns: a descriptor, or -1. Stores in *path (unless path is NULL) a copy of the name; the caller frees it. */
int create_temp_file(const char *base, char **path);

#endif
