/* xsignal.h: signal() that ends the test when it fails. */
#ifndef EMMA_TEST_XSIGNAL_H
#define EMMA_TEST_XSIGNAL_H

#include <signal.h>

void (*xsignal(int number, void (*handler)(int)))(int);

#endif
