/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "fabric/address.h"
#include "tests/lib/test.h"

static struct fabric_address address;

START_TEST(an_shm_address_is_a_path)
{
	ck_assert_int_eq(
		fabric_address_parse("shm:///run/catfish.sock", &address), 0);
	ck_assert_int_eq(address.scheme, FABRIC_SCHEME_SHM);
	ck_assert_str_eq(address.path, "/run/catfish.sock");
	ck_assert_str_eq(address.text, "shm:///run/catfish.sock");
}
END_TEST

static void check_tcp(const char *text, const char *host, const char *port)
{
	ck_assert_int_eq(fabric_address_parse(text, &address), 0);
	ck_assert_int_eq(address.scheme, FABRIC_SCHEME_TCP);
	ck_assert_str_eq(address.host, host);
	ck_assert_str_eq(address.port, port);
}

START_TEST(a_tcp_address_is_a_host_and_a_port)
{
	check_tcp("tcp://localhost:7070", "localhost", "7070");
	check_tcp("tcp://10.0.0.1:0", "10.0.0.1", "0");
	check_tcp("tcp://[::1]:65535", "::1", "65535");
	check_tcp("tcp://[fe80::1%eth0]:1", "fe80::1%eth0", "1");
}
END_TEST

START_TEST(what_cannot_be_an_address_is_refused)
{
	static const char *const bad[] = {
		"",
		"/run/catfish.sock",
		"shm",
		"shm:/x",
		"shm://",
		"shm:///",
		"shm://relative/path",
		"http://localhost:80",
		"SHM:///x",
		"tcp://",
		"tcp://localhost",
		"tcp://localhost:",
		"tcp://:7070",
		"tcp://localhost:65536",
		"tcp://localhost:-1",
		"tcp://localhost:+1",
		"tcp://localhost: 1",
		"tcp://localhost:1x",
		"tcp://localhost:000001",
		"tcp://localhost:http",
		"tcp://::1:7070",
		"tcp://[::1]",
		"tcp://[::1]7070",
		"tcp://[::1:7070",
		"tcp://[]:7070",
		" tcp://localhost:1",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fabric_address_parse(bad[i], &address) ==
				      ERR_USAGE,
			      "'%s' was taken", bad[i]);
}
END_TEST

static int parse_long(const char *prefix, size_t size, const char *suffix)
{
	char text[2000];

	size_t start = (size_t)snprintf(text, sizeof(text), "%s", prefix);
	memset(text + start, 'a', size);
	snprintf(text + start + size, sizeof(text) - start - size, "%s",
		 suffix);
	return fabric_address_parse(text, &address);
}

START_TEST(what_is_too_long_is_refused)
{
	ck_assert_int_eq(parse_long("shm:///", 106, ""), 0);
	ck_assert_int_eq(parse_long("shm:///", 107, ""), ERR_USAGE);
	ck_assert_int_eq(parse_long("shm:///", 1000, ""), ERR_USAGE);
	ck_assert_int_eq(parse_long("tcp://", 255, ":1"), 0);
	ck_assert_int_eq(parse_long("tcp://", 256, ":1"), ERR_USAGE);
	ck_assert_int_eq(parse_long("tcp://", 1000, ":1"), ERR_USAGE);
}
END_TEST

START_TEST(a_verbs_address_is_known_whether_or_not_it_is_built_in)
{
#ifdef HAVE_VERBS
	ck_assert_int_eq(fabric_address_parse("verbs://[::1]:77", &address), 0);
	ck_assert_int_eq(address.scheme, FABRIC_SCHEME_VERBS);
	ck_assert_str_eq(address.host, "::1");
	ck_assert_str_eq(address.port, "77");
	ck_assert_int_eq(fabric_address_parse("verbs://host", &address),
			 ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(err_text(), "want verbs://host:port"));
#else
	ck_assert_int_eq(fabric_address_parse("verbs://host:1", &address),
			 ERR_UNSUPPORTED);
#endif
}
END_TEST

Suite *test_suite(const char **why)
{
	Suite *suite = suite_create("address");
	TCase *tests = tcase_create("address");

	(void)why;
	tcase_add_test(tests, an_shm_address_is_a_path);
	tcase_add_test(tests, a_tcp_address_is_a_host_and_a_port);
	tcase_add_test(tests, what_cannot_be_an_address_is_refused);
	tcase_add_test(tests, what_is_too_long_is_refused);
	tcase_add_test(tests,
		       a_verbs_address_is_known_whether_or_not_it_is_built_in);
	suite_add_tcase(suite, tests);
	return suite;
}
