/* array_length.h: the number of elements of an array, by glibc's name. */
#ifndef EMMA_TEST_ARRAY_LENGTH_H
#define EMMA_TEST_ARRAY_LENGTH_H

#define array_length(array) (sizeof(array) / sizeof((array)[0]))

#endif
