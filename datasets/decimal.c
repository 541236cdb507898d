/* SPDX-License-Identifier: BSD-2-Clause */

/* Reading decimal numbers.  A double takes one integer division when its
 * digits fit into 64 bits and no more than 19 of them are decimals, which is
 * so for shortest decimals between 1e-2 and 1e19; strtod() reads the others. */

#include "datasets/decimal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	DIGITS_MAX = 19,     /* any 19 digits fit into 64 bits */
	EXPONENT_MAX = 9999, /* stands for all that are larger */
};

/* Digits times a power of ten. */
struct decimal {
	uint64_t digits;
	int count;    /* of digits, leading zeros not counted */
	int exponent; /* of ten */
	bool negative;
};

static const uint64_t powers_of_ten[DIGITS_MAX + 1] = {
	1,
	10,
	100,
	1000,
	10000,
	100000,
	1000000,
	10000000,
	100000000,
	1000000000,
	10000000000,
	100000000000,
	1000000000000,
	10000000000000,
	100000000000000,
	1000000000000000,
	10000000000000000,
	100000000000000000,
	1000000000000000000,
	10000000000000000000U,
};

static const char *scan(const char *text, struct decimal *decimal);
static bool convert(const struct decimal *decimal, double *value);

const char *decimal_read_int64(const char *text, int64_t *value)
{
	bool negative = *text == '-';
	uint64_t sum = 0;
	const char *p = text + (*text == '-' || *text == '+');
	const char *first = p;

	for (; (unsigned)(*p - '0') < 10; p++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, (unsigned)(*p - '0'), &sum))
			return NULL;
	if (p == first || sum > (uint64_t)INT64_MAX + negative)
		return NULL;
	*value = (int64_t)(negative ? -sum : sum);
	return p;
}

const char *decimal_read_double(const char *text, double *value)
{
	struct decimal decimal;
	const char *end = scan(text, &decimal);

	if (end && !convert(&decimal, value))
		*value = strtod(text, NULL);
	return end;
}

static const char *scan_exponent(const char *text, int *exponent);

static inline const char *scan_digits(const char *p, struct decimal *decimal)
{
	for (; (unsigned)(*p - '0') < 10; p++) {
		decimal->count += decimal->count || *p != '0';
		if (decimal->count <= DIGITS_MAX)
			decimal->digits =
				10 * decimal->digits + (unsigned)(*p - '0');
	}
	return p;
}

static inline const char *scan(const char *text, struct decimal *decimal)
{
	*decimal = (struct decimal){.negative = *text == '-'};
	const char *first = text + (*text == '-' || *text == '+');
	const char *p = scan_digits(first, decimal);
	bool any = p != first;

	if (*p == '.') {
		const char *point = p;
		p = scan_digits(point + 1, decimal);
		any |= p != point + 1;
		decimal->exponent = (int)(point + 1 - p);
	}
	if (!any)
		return NULL;
	return *p == 'e' || *p == 'E' ? scan_exponent(p, &decimal->exponent)
				      : p;
}

/* An 'e' without digits is not part of the number. */
static const char *scan_exponent(const char *text, int *exponent)
{
	const char *p = text + 1;
	bool negative = *p == '-';
	int sum = 0;

	p += *p == '-' || *p == '+';
	if ((unsigned)(*p - '0') >= 10)
		return text;
	for (; (unsigned)(*p - '0') < 10; p++)
		if (sum < EXPONENT_MAX)
			sum = 10 * sum + (*p - '0');
	*exponent += negative ? -sum : sum;
	return p;
}

static double divide(uint64_t a, uint64_t b);

/* False when that takes more than 64 bits of digits or of a power of ten. */
static inline bool convert(const struct decimal *decimal, double *value)
{
	uint64_t product;
	double magnitude;

	if (decimal->count > DIGITS_MAX || decimal->exponent < -DIGITS_MAX ||
	    decimal->exponent > DIGITS_MAX)
		return false;
	if (decimal->exponent >= 0) {
		if (__builtin_mul_overflow(decimal->digits,
					   powers_of_ten[decimal->exponent],
					   &product))
			return false;
		magnitude = (double)product;
	} else {
		magnitude = divide(decimal->digits,
				   powers_of_ten[-decimal->exponent]);
	}
	*value = decimal->negative ? -magnitude : magnitude;
	return true;
}

/* 2^exponent, for exponents of normal doubles. */
static double power_of_two(int exponent)
{
	uint64_t bits = (uint64_t)(exponent + 1023) << 52;
	double power;

	memcpy(&power, &bits, sizeof(power));
	return power;
}

/* a / b, correctly rounded.  With both shifted to the top of their 64 bits the
 * quotient has 63 or 64; its last bit, which is set when the division left a
 * remainder, is below all that decides the rounding to 53. */
static double divide(uint64_t a, uint64_t b)
{
	if (!a)
		return 0;

	int a_shift = __builtin_clzll(a);
	int b_shift = __builtin_clzll(b);
	unsigned __int128 dividend = (unsigned __int128)(a << a_shift) << 63;
	uint64_t divisor = b << b_shift;
	uint64_t quotient = (uint64_t)(dividend / divisor);

	quotient |= (uint64_t)dividend != quotient * divisor;
	return (double)quotient * power_of_two(b_shift - a_shift - 63);
}
