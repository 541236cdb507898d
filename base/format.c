/* SPDX-License-Identifier: BSD-2-Clause */

/* A double is printed as no more digits than tell it from its neighbours: 15
 * are enough for one that was made of so few, 17 for every one.
 *
 * Most coordinates are of a size that 128-bit integers hold exactly, together
 * with the halfway points to both neighbours.  The rest is tried out, with
 * printf() and strtod(), which takes ten times as long. */

#include "base/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t format_middling(char *text, double value);
static size_t format_by_trial(char *text, double value);

size_t format_double(char text[FORMAT_DOUBLE_SIZE], double value)
{
	double magnitude = fabs(value);

	if (magnitude >= 0x1p-9 && magnitude < 0x1p53)
		return format_middling(text, value);
	return format_by_trial(text, value);
}

/* --- From 2^-9 to 2^53 -------------------------------------------------- */

typedef unsigned __int128 uint128;

enum { MANTISSA_BITS = 52 };

static const uint64_t powers_of_ten[] = {
	1u,
	10u,
	100u,
	1000u,
	10000u,
	100000u,
	1000000u,
	10000000u,
	100000000u,
	1000000000u,
	10000000000u,
	100000000000u,
	1000000000000u,
	10000000000000u,
	100000000000000u,
	1000000000000000u,
	10000000000000000u,
	100000000000000000u,
	1000000000000000000u,
	10000000000000000000u,
};

/* A double times 10^places, which is 17 digits before the point: 'high' is the
 * integer, 'low' / 2^shift what stands behind the point.  Nothing is rounded,
 * since 53 bits of mantissa and 64 of the power of ten make 117. */
struct scaled {
	uint64_t high;
	uint64_t low;
	int shift;
	int places;
};

static struct scaled scale(double magnitude);
static uint64_t shortest_digits(const struct scaled *scaled);
static size_t write_digits(char *text, bool negative, uint64_t digits,
			   int places);

static size_t format_middling(char *text, double value)
{
	struct scaled scaled = scale(fabs(value));

	return write_digits(text, value < 0, shortest_digits(&scaled),
			    scaled.places);
}

static struct scaled scale(double magnitude)
{
	uint64_t bits;

	memcpy(&bits, &magnitude, sizeof(bits));
	uint64_t leading_bit = UINT64_C(1) << MANTISSA_BITS;
	uint64_t mantissa = (bits & (leading_bit - 1)) | leading_bit;
	struct scaled scaled = {
		.shift = MANTISSA_BITS + 1023 - (int)(bits >> MANTISSA_BITS),
		.places = 1,
	};
	uint128 product;

	for (;; scaled.places++) {
		product = (uint128)mantissa * powers_of_ten[scaled.places];
		if (product >> scaled.shift >= powers_of_ten[16])
			break;
	}
	scaled.high = (uint64_t)(product >> scaled.shift);
	scaled.low =
		(uint64_t)(product - ((uint128)scaled.high << scaled.shift));
	return scaled;
}

/* Whether a decimal at that distance from the double reads back as it, which it
 * does up to halfway to the neighbours; they differ by 1 in the mantissa.  At
 * this size a halfway point has 17 digits or more, and of 17 there is always a
 * nearer decimal; a power of two, whose lower neighbour is nearer, has at most
 * 16. */
static bool reads_back(const struct scaled *scaled, uint128 distance)
{
	return 2 * distance < powers_of_ten[scaled->places];
}

/* Rounds to 15, 16 and 17 digits until it reads back: to the nearer decimal, or
 * to the even one when both are as near. */
static uint64_t shortest_digits(const struct scaled *scaled)
{
	for (uint64_t unit = 100;; unit /= 10) {
		uint64_t rest = scaled->high % unit;
		uint128 down = ((uint128)rest << scaled->shift) + scaled->low;
		uint128 up = ((uint128)unit << scaled->shift) - down;
		bool is_even = scaled->high / unit % 2 == 0;
		bool round_down = down < up || (down == up && is_even);

		if (reads_back(scaled, round_down ? down : up))
			return scaled->high - rest + (round_down ? 0 : unit);
	}
}

/* Writes digits / 10^places; its last digits first, and then turned round. */
static size_t write_digits(char *text, bool negative, uint64_t digits,
			   int places)
{
	char reversed[FORMAT_DOUBLE_SIZE];
	size_t length = 0;

	for (; places > 0 && digits % 10 == 0; places--)
		digits /= 10;
	for (int i = 0; i < places; i++, digits /= 10)
		reversed[length++] = '0' + digits % 10;
	if (places > 0)
		reversed[length++] = '.';
	do
		reversed[length++] = '0' + digits % 10;
	while (digits /= 10);
	if (negative)
		reversed[length++] = '-';
	for (size_t i = 0; i < length; i++)
		text[i] = reversed[length - 1 - i];
	text[length] = 0;
	return length;
}

/* --- The rest ----------------------------------------------------------- */

/* A power of two is twice as far from the neighbour above as from the one
 * below; when the nearest decimal of 16 digits is below and too far away, the
 * next one above may do. */
static bool round_up_to_16_digits(char *text, double value)
{
	snprintf(text, FORMAT_DOUBLE_SIZE, "%.15e", value);
	char *exponent = strchr(text, 'e');
	if (!exponent || exponent[-1] == '9')
		return false;
	exponent[-1]++;
	return strtod(text, NULL) == value;
}

static size_t format_by_trial(char *text, double value)
{
	/* Denormal doubles have less than 15 digits to tell them apart. */
	int digits = fabs(value) < 0x1p-1022 ? 1 : 15;

	for (; digits <= 17; digits++) {
		snprintf(text, FORMAT_DOUBLE_SIZE, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
		if (digits == 16 && round_up_to_16_digits(text, value))
			break;
	}
	return strlen(text);
}

/* --- Sizes -------------------------------------------------------------- */

const char *format_size(char text[FORMAT_SIZE_SIZE], uint64_t size)
{
	static const char *const units[] = {"KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB"};
	double scaled = (double)size / 1024;
	int unit = 0;

	if (size < 1024) {
		snprintf(text, FORMAT_SIZE_SIZE, "%" PRIu64 " B", size);
		return text;
	}
	for (; scaled >= 1024; unit++)
		scaled /= 1024;
	snprintf(text, FORMAT_SIZE_SIZE, "%.1f %s", scaled, units[unit]);
	return text;
}
