/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/* The log: lines on standard error, "program: level: text".
 *
 * error: can't go on; warn: can; info: life of the process; debug: per object;
 * trace: per operation.  The environment's CATFISH_LOG names the lowest level
 * that is written, info unless it says otherwise.  Libraries log nothing below
 * debug; what fails there is said by err_set().
 *
 * Thread-safety: safe; a line is written whole. */

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_TRACE,
};

/* Names the program and reads CATFISH_LOG. */
void log_init(const char *program);

void log_write(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
