/* What the program prints: cut into lines, one log record each. */
#pragma once
#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif
void log_write(int32_t level, const char *text, size_t size);
/* Sends an unfinished last line. */
void log_flush(void);
#ifdef __cplusplus
}
#endif
