/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/parse.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

/* --- Numbers with a unit ------------------------------------------------ */

struct unit {
	const char *name;
	uint64_t factor;
};

static int parse_with_unit(const char *text, const struct unit *units,
			   uint64_t max, uint64_t *value);

int parse_time_ns(const char *text, uint64_t *time_ns)
{
	static const struct unit units[] = {
		{"", NS_PER_S},	 {"us", NS_PER_US}, {"ms", NS_PER_MS},
		{"s", NS_PER_S}, {NULL, 0},
	};

	if (parse_with_unit(text, units, INT64_MAX, time_ns))
		return err_set(ERR_USAGE,
			       "expected a time such as 20us, 5ms or 1.5s, not "
			       "'%s'",
			       text);
	return 0;
}

int parse_size(const char *text, uint64_t *size)
{
	static const struct unit units[] = {
		{"", 1},
		{"K", UINT64_C(1) << 10},
		{"M", UINT64_C(1) << 20},
		{"G", UINT64_C(1) << 30},
		{NULL, 0},
	};

	if (parse_with_unit(text, units, UINT64_MAX, size))
		return err_set(ERR_USAGE,
			       "expected a size such as 4096, 64K or 1.5G, not "
			       "'%s'",
			       text);
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads "12" or "12.5" as 'whole' and 'fraction' / 'denominator', so that no
 * digit is lost on the way; what is left over goes to '*rest'. */
static int read_decimal(const char *text, uint64_t *whole, uint64_t *fraction,
			uint64_t *denominator, const char **rest)
{
	const char *c = text;

	*whole = *fraction = 0;
	*denominator = 1;
	for (; is_digit(*c); c++)
		if (__builtin_mul_overflow(*whole, 10, whole) ||
		    __builtin_add_overflow(*whole, *c - '0', whole))
			return ERR_USAGE;
	if (c == text)
		return ERR_USAGE;
	if (*c == '.') {
		if (!is_digit(*++c))
			return ERR_USAGE;
		for (; is_digit(*c); c++) {
			if (*denominator >= UINT64_C(1000000000000000000))
				continue;
			*fraction = *fraction * 10 + (*c - '0');
			*denominator *= 10;
		}
	}
	*rest = c;
	return 0;
}

static int parse_with_unit(const char *text, const struct unit *units,
			   uint64_t max, uint64_t *value)
{
	uint64_t whole, fraction, denominator;
	const char *rest;

	if (read_decimal(text, &whole, &fraction, &denominator, &rest))
		return ERR_USAGE;
	while (units->name && strcmp(units->name, rest) != 0)
		units++;
	if (!units->name)
		return ERR_USAGE;
	unsigned __int128 product =
		(unsigned __int128)whole * units->factor +
		(unsigned __int128)fraction * units->factor / denominator;
	if (product > max)
		return ERR_USAGE;
	*value = (uint64_t)product;
	return 0;
}

/* --- Plain numbers ------------------------------------------------------ */

/* What strtoll() and strtoull() must be given: they skip spaces and take a
 * minus sign even for an unsigned number. */
static bool starts_like_integer(const char *text, bool may_be_negative)
{
	if (*text == '+' || (may_be_negative && *text == '-'))
		text++;
	return is_digit(*text);
}

int parse_int64(const char *text, int64_t *value)
{
	char *rest;

	errno = 0;
	long long number = strtoll(text, &rest, 10);
	if (!starts_like_integer(text, true) || *rest)
		return err_set(ERR_USAGE, "expected a whole number, not '%s'",
			       text);
	if (errno == ERANGE)
		return err_set(ERR_USAGE, "'%s' does not fit in 64 bits", text);
	*value = number;
	return 0;
}

int parse_uint64(const char *text, uint64_t *value)
{
	char *rest;

	errno = 0;
	unsigned long long number = strtoull(text, &rest, 10);
	if (!starts_like_integer(text, false) || *rest)
		return err_set(ERR_USAGE,
			       "expected a whole number, 0 or more, not '%s'",
			       text);
	if (errno == ERANGE)
		return err_set(ERR_USAGE, "'%s' does not fit in 64 bits", text);
	*value = number;
	return 0;
}

/* Reads a finite double at the beginning of '*text' and moves on behind it.
 * strtod() would also skip spaces and take "nan", "inf" and hexadecimal. */
static int read_double(const char **text, double *value)
{
	const char *c = *text;
	char *rest;

	if (*c == '+' || *c == '-')
		c++;
	if (!is_digit(*c) && !(*c == '.' && is_digit(c[1])))
		return ERR_USAGE;
	if (*c == '0' && (c[1] == 'x' || c[1] == 'X'))
		return ERR_USAGE;
	double number = strtod(*text, &rest);
	if (!isfinite(number))
		return ERR_USAGE;
	*text = rest;
	*value = number;
	return 0;
}

int parse_double(const char *text, double *value)
{
	const char *rest = text;
	double number;

	if (read_double(&rest, &number) || *rest)
		return err_set(ERR_USAGE, "expected a finite number, not '%s'",
			       text);
	*value = number;
	return 0;
}

/* --- Points and rectangles ---------------------------------------------- */

static const char *const axes[] = {"x", "y", "z"};

static int read_corner(const char **text, double corner[DIMENSIONS])
{
	for (int d = 0; d < DIMENSIONS; d++) {
		if (d > 0 && *(*text)++ != ',')
			return ERR_USAGE;
		if (read_double(text, &corner[d]))
			return ERR_USAGE;
	}
	return 0;
}

int parse_rect(const char *text, struct rect *rect)
{
	const char *rest = text;
	struct rect read;

	if (read_corner(&rest, read.min) || *rest++ != ',' ||
	    read_corner(&rest, read.max) || *rest)
		return err_set(ERR_USAGE,
			       "expected a box " RECT_COLUMNS
			       " of finite numbers, not '%s'",
			       text);
	if (parse_check_rect(&read))
		return ERR_USAGE;
	*rect = read;
	return 0;
}

int parse_point(const char *text, double point[DIMENSIONS])
{
	const char *rest = text;
	double read[DIMENSIONS];

	if (read_corner(&rest, read) || *rest)
		return err_set(
			ERR_USAGE,
			"expected a point " DIMENSIONAL(
				"x,y", "x,y,z") " of finite numbers, not '%s'",
			text);
	memcpy(point, read, sizeof(read));
	return 0;
}

int parse_check_point(const double point[DIMENSIONS])
{
	for (int d = 0; d < DIMENSIONS; d++) {
		char text[FORMAT_DOUBLE_SIZE];

		if (isfinite(point[d]))
			continue;
		format_double(text, point[d]);
		return err_set(ERR_DATA,
			       "coordinates must be finite, but %s is %s",
			       axes[d], text);
	}
	return 0;
}

int parse_check_rect(const struct rect *rect)
{
	char min[FORMAT_DOUBLE_SIZE], max[FORMAT_DOUBLE_SIZE];

	for (int d = 0; d < DIMENSIONS; d++) {
		if (rect->min[d] <= rect->max[d] && isfinite(rect->min[d]) &&
		    isfinite(rect->max[d]))
			continue;
		format_double(min, rect->min[d]);
		format_double(max, rect->max[d]);
		if (!isfinite(rect->min[d]) || !isfinite(rect->max[d]))
			return err_set(
				ERR_DATA,
				"coordinates must be finite, but %s goes "
				"from %s to %s",
				axes[d], min, max);
		return err_set(ERR_DATA, "%smin %s is greater than %smax %s",
			       axes[d], min, axes[d], max);
	}
	return 0;
}
