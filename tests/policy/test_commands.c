/* SPDX-License-Identifier: MIT */
/*
 * The commands as they are typed: what they print, write and return. The device
 * is a fake; the signer on the other side is the openssl program.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <jansson.h>

#include <ringwall/ioctl.h>

#include "agent/device_io.h"
#include "agent/errors.h"
#include "agent/policy/commands.h"
#include "policy/policy.h"
#include "tests/policy/fake_kernel.h"
#include "tests/policy/scratch.h"

#define MAX_WORDS 16

/* The fake device: takes a policy and says what is in force. */
static struct {
	bool present;
	enum rw_error error; /* for RW_IOC_POLICY_LOAD */
	uint64_t taken;	     /* bytes of the policy given */
	struct rw_status status;
} device;

int device_io_open(const char *path, int flags)
{
	(void)path;
	(void)flags;
	errno = ENOENT;
	return device.present ? 100 : -1;
}

int device_io_close(int fd)
{
	return fd == 100 ? 0 : -1;
}

int device_io_ioctl(int fd, unsigned long request, void *argument)
{
	struct rw_ioc_policy *policy = argument;
	struct rw_ioc_read *read = argument;

	(void)fd;
	if (request == RW_IOC_POLICY_LOAD) {
		device.taken = policy->size;
		policy->error = device.error;
		policy->state = device.status.state;
		return device.error ? -1 : 0;
	}
	assert_int_equal(request, RW_IOC_STATUS);
	memcpy((void *)(uintptr_t)read->buffer, &device.status,
	       sizeof(device.status));
	read->size = sizeof(device.status);
	return 0;
}

ssize_t device_io_read(int fd, void *buffer, size_t size)
{
	(void)fd;
	(void)buffer;
	(void)size;
	fail_msg("nobody reads here");
	return -1;
}

static char output[16384];

static int redirect(int fd, const char *path)
{
	int saved = dup(fd);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fflush(NULL);
	dup2(fileno(file), fd);
	fclose(file);
	return saved;
}

static void restore(int fd, int saved)
{
	fflush(NULL);
	dup2(saved, fd);
	close(saved);
}

/**
 * Runs a command line; a word that begins with '@' is a file of the scratch
 * folder. What it printed, errors first, is in output.
 */
static int run(const char *line)
{
	const char *errors = scratch("stderr"), *results = scratch("stdout");
	int saved_errors = redirect(2, errors);
	int saved_results = redirect(1, results);
	char *words[MAX_WORDS + 1] = { NULL };
	char copy[1024];
	size_t length;
	FILE *file;
	int count = 0;
	int status;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		words[count++] =
			strdup(*word == '@' ? scratch(word + 1) : word);
	status = !strcmp(words[0], "keygen") ? cmd_keygen(count, words) :
					       cmd_policy(count, words);
	for (int i = 0; i < count; i++)
		free(words[i]);
	restore(2, saved_errors);
	restore(1, saved_results);
	length = 0;
	for (int i = 0; i < 2; i++) {
		file = fopen(i ? results : errors, "r");
		assert_non_null(file);
		length += fread(output + length, 1, sizeof(output) - 1 - length,
				file);
		fclose(file);
	}
	output[length] = '\0';
	return status;
}

static void expect(const char *line, int status, const char *printed)
{
	int got = run(line);

	if (got != status || !strstr(output, printed))
		fail_msg("%s: exit %d\n%s", line, got, output);
}

static const char yaml[] =
	"policy: test\nserial: 3\nrules:\n"
	"- {id: 1, name: text, protect: kernel-text, mode: enforce, "
	"text-poke: allow, severity: critical}\n"
	"- {id: 2, name: rodata, protect: kernel-rodata, mode: audit, "
	"severity: high}\n";

/** The scratch folder with a kernel, a source and two keys. */
static int open_workshop(void **state)
{
	size_t payload_size, size;
	struct fake_kernel fake;
	uint8_t *payload, *image;

	if (scratch_open(state))
		return -1;
	memset(&device, 0, sizeof(device));
	fake_kernel(&fake);
	payload = fake_payload(FAKE_XZ, &fake, sizeof(fake), &payload_size);
	image = fake_bzimage(payload, payload_size, &size);
	scratch_write("vmlinuz", image, size);
	free(image);
	free(payload);
	scratch_text("p.yaml", yaml);
	expect("keygen -o @k.pem --public @k.pub", 0, "key id ");
	expect("keygen -o @other.pem --public @other.pub", 0, "key id ");
	return 0;
}

static void build_and_sign(void)
{
	expect("policy build -k @vmlinuz -o @p.rwp @p.yaml", 0,
	       "policy test, serial 3, 2 rules, not signed yet\n");
	expect("policy sign -k @k.pem -o @s.rwp @p.rwp", 0, "signed");
}

static void from_yaml_to_a_policy_that_verifies(void **state)
{
	(void)state;
	build_and_sign();
	expect("policy verify --trust @k.pub @s.rwp", 0,
	       "good, policy test, serial 3, signed by key ");
	/* Signed once more in place: still one body, one trailer. */
	expect("policy sign --key @other.pem @s.rwp", 0, "signed");
	expect("policy verify -t @other.pub @s.rwp", 0, "good");
	assert_int_equal(scratch_run("test $(stat -c %s s.rwp) -eq "
				     "$(($(stat -c %s p.rwp) + 96))"),
			 0);
}

static void the_same_input_gives_the_same_bytes(void **state)
{
	(void)state;
	expect("policy build -k @vmlinuz -o @1.rwp @p.yaml", 0, "");
	expect("policy build --kernel @vmlinuz --output @2.rwp @p.yaml", 0, "");
	assert_int_equal(scratch_run("cmp 1.rwp 2.rwp"), 0);
}

static void a_signature_of_the_openssl_program_is_attached(void **state)
{
	(void)state;
	build_and_sign();
	assert_int_equal(scratch_run("openssl dgst -sha256 -sign k.pem "
				     "-out sig.der p.rwp"),
			 0);
	expect("policy sign --signature @sig.der --public @k.pub -o @a.rwp @p.rwp",
	       0, "signed");
	expect("policy verify --trust @k.pub @a.rwp", 0, "good");
	expect("policy sign --signature @sig.der --public @other.pub -o @b.rwp @p.rwp",
	       3, "the signature does not verify");
	assert_false(scratch_exists("b.rwp"));
	scratch_write("sig.der", yaml, 73);
	expect("policy sign --signature @sig.der --public @k.pub @p.rwp", 1,
	       "larger than 72 bytes");
}

static void the_openssl_program_verifies_our_signature(void **state)
{
	(void)state;
	build_and_sign();
	assert_int_equal(
		scratch_run(
			"size=$(stat -c %s p.rwp); "
			"len=$(od -An -tu2 -j $((size + 10)) -N2 s.rwp); "
			"tail -c +$((size + 25)) s.rwp | head -c $((len)) >d; "
			"openssl dgst -sha256 -verify k.pub -signature d p.rwp"),
		0);
}

static void each_refusal_has_its_exit_code(void **state)
{
	(void)state;
	build_and_sign();
	expect("policy verify --trust @other.pub @s.rwp", EXIT_CODE_UNTRUSTED,
	       "signed by a key that is not trusted");
	expect("policy verify --trust @k.pub @p.rwp", EXIT_CODE_UNTRUSTED,
	       "not signed");
	assert_int_equal(scratch_run(
				 "head -c 20 s.rwp >t; printf X >>t; "
				 "tail -c +22 s.rwp >>t; head -c 200 s.rwp >u"),
			 0);
	expect("policy verify --trust @k.pub @t", EXIT_CODE_UNTRUSTED,
	       "the signature does not verify");
	expect("policy verify --trust @k.pub @u", EXIT_CODE_ERROR, "truncated");
	expect("policy verify --trust @k.pub @p.yaml", EXIT_CODE_ERROR,
	       "p.yaml: policy: ");
	expect("policy verify --trust @p.yaml @s.rwp", EXIT_CODE_UNTRUSTED,
	       "no public key in PEM form");
	expect("policy verify --trust @none @s.rwp", EXIT_CODE_UNTRUSTED,
	       "No such file");
	expect("policy verify --trust @k.pub @none", EXIT_CODE_ERROR,
	       "No such file");
	assert_int_equal(scratch_run("head -c 70000 /dev/zero >big"), 0);
	expect("policy verify --trust @k.pub @big", EXIT_CODE_ERROR,
	       "larger than");
}

static void a_failed_command_leaves_the_output_alone(void **state)
{
	(void)state;
	scratch_text("out", "precious");
	scratch_text("bad.yaml", "policy: p\n");
	expect("policy build -k @vmlinuz -o @out @bad.yaml", 1,
	       "bad.yaml:1:1: serial: is missing");
	expect("policy build -k @p.yaml -o @out @p.yaml", 1,
	       "p.yaml: neither a bzImage nor an ELF file");
	expect("policy build -k @vmlinuz -o @out @none", 1, "No such file");
	expect("policy sign -k @k.pem -o @out @p.yaml", 1, "p.yaml: policy: ");
	build_and_sign();
	expect("policy sign -k @k.pub -o @out @p.rwp", 1,
	       "no private key in PEM form");
	expect("keygen -o @out", 1, "File exists");
	assert_int_equal(scratch_run("test $(cat out) = precious"), 0);
}

static void inspect_shows_what_the_policy_says(void **state)
{
	json_t *root, *rules, *kernel;

	(void)state;
	build_and_sign();
	expect("policy inspect @s.rwp", 0, "(not checked here");
	assert_non_null(strstr(output, "policy     test\n"));
	assert_non_null(strstr(output, "ffffffff81000000 - ffffffff81002000"));
	expect("policy inspect @p.rwp", 0, "signed by  nobody\n");
	expect("policy inspect -o json @s.rwp", 0, "{");
	root = json_loads(output, 0, NULL);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "policy")),
			    "test");
	assert_int_equal(json_integer_value(json_object_get(root, "serial")),
			 3);
	assert_true(json_is_true(json_object_get(root, "lock")));
	assert_int_equal(
		strlen(json_string_value(json_object_get(root, "signed_by"))),
		16);
	kernel = json_object_get(root, "kernel");
	assert_string_equal(
		json_string_value(json_object_get(kernel, "build_id")),
		"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3");
	rules = json_object_get(root, "rules");
	assert_int_equal(json_array_size(rules), 2);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(rules, 1), "action")),
			    "allow");
	json_decref(root);
	expect("policy inspect -o json @p.rwp", 0, "\"signed_by\": null");
	expect("policy inspect @p.yaml", 1, "p.yaml: policy: ");
}

/** The status of a monitor that has the policy of s.rwp in force. */
static void monitor_has_the_policy(void)
{
	static const struct rw_status_rule rules[] = {
		{ 1, RW_TARGET_KERNEL_TEXT, RW_MODE_ENFORCE, RW_ACTION_FAULT,
		  RW_RULE_TEXT_POKE, 5, 2, 0, "text" },
		{ 2, RW_TARGET_KERNEL_RODATA, RW_MODE_AUDIT, RW_ACTION_ALLOW, 0,
		  4, 4, 0, "rodata" },
	};
	uint8_t body[4096];
	FILE *file = fopen(scratch("p.rwp"), "rb");
	size_t size;

	assert_non_null(file);
	size = fread(body, 1, sizeof(body), file);
	fclose(file);
	device.present = true;
	device.status.abi_version = RW_ABI_VERSION;
	device.status.state = RW_STATE_ARMED;
	device.status.cpus = 2;
	device.status.policy_serial = 3;
	device.status.policy_rules = 2;
	strcpy(device.status.policy_name, "test");
	policy_digest(body, size, device.status.policy_digest);
	memcpy(device.status.rules, rules, sizeof(rules));
}

static void load_tells_what_the_monitor_says(void **state)
{
	(void)state;
	build_and_sign();
	expect("policy load @s.rwp", EXIT_CODE_ABSENT,
	       "there is no /dev/ringwall");
	monitor_has_the_policy();
	expect("policy load @s.rwp", 0,
	       "in force on 2 CPUs, policy test, serial 3, 2 rules\n");
	assert_int_equal(device.taken, 64 + 72 + 2 * 56 + 96);
	device.error = RW_E_POLICY_SERIAL;
	expect("policy load @s.rwp", EXIT_CODE_ROLLBACK, "serial is older");
	device.error = RW_E_POLICY_KERNEL;
	expect("policy load @s.rwp", EXIT_CODE_OTHER_KERNEL, "another kernel");
	device.error = RW_E_POLICY_SIGNATURE;
	expect("policy load @s.rwp", EXIT_CODE_UNTRUSTED, "does not verify");
}

static void load_fails_if_less_is_in_force_than_was_asked_for(void **state)
{
	static const char effective[] = "the effective mode is not the one";
	struct rw_status good;

	(void)state;
	build_and_sign();
	monitor_has_the_policy();
	good = device.status;
	device.status.state = RW_STATE_ARMING;
	expect("policy load @s.rwp", EXIT_CODE_DEGRADED, effective);
	device.status = good;
	device.status.policy_digest[31] ^= 1;
	expect("policy load @s.rwp", EXIT_CODE_DEGRADED, effective);
	device.status = good;
	device.status.rules[0].mode = RW_MODE_AUDIT;
	expect("policy load @s.rwp", EXIT_CODE_DEGRADED, effective);
	device.status = good;
	device.status.rules[0].action = RW_ACTION_DISCARD;
	expect("policy load @s.rwp", EXIT_CODE_DEGRADED, effective);
	device.status = good;
	device.status.rules[1].flags = RW_RULE_TEXT_POKE;
	expect("policy load @s.rwp", EXIT_CODE_DEGRADED, effective);
	device.status = good;
	device.status.rules[1].pages = 0;
	expect("policy load @s.rwp", EXIT_CODE_DEGRADED, effective);
	device.status = good;
	device.status.policy_rules = 1;
	expect("policy load @s.rwp", EXIT_CODE_DEGRADED, effective);
	device.status = good;
	expect("policy load @s.rwp", 0, "in force");
}

static void wrong_use_is_answered_with_the_usage(void **state)
{
	static const char *const lines[] = {
		"policy",
		"policy paint",
		"policy build",
		"policy build @p.yaml",
		"policy build -k @vmlinuz @p.yaml",
		"policy build -k @vmlinuz -o @x",
		"policy build -k @vmlinuz -o @x @p.yaml @p.yaml",
		"policy build -k @vmlinuz -k @vmlinuz -o @x @p.yaml",
		"policy build --kern",
		"policy build -k",
		"policy sign @p.rwp",
		"policy sign --signature @x @p.rwp",
		"policy sign --public @x @p.rwp",
		"policy sign -k @k.pem --public @k.pub @p.rwp",
		"policy verify @p.rwp",
		"policy verify --trust @k.pub",
		"policy inspect",
		"policy inspect -o yaml @p.rwp",
		"policy inspect --fast @p.rwp",
		"policy inspect -x @p.rwp",
		"policy load",
		"keygen",
		"keygen -o @x extra",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect(lines[i], EXIT_CODE_USAGE, "usage: ringwall ");
	assert_false(scratch_exists("x"));
}

static void help_is_not_an_error(void **state)
{
	static const char *const lines[] = {
		"policy --help",
		"policy -h",
		"policy build --help",
		"policy sign -h",
		"policy verify --help",
		"policy inspect --help",
		"policy load --help",
		"keygen --help",
		"policy build -k x --help",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect(lines[i], EXIT_CODE_OK, "usage: ringwall ");
}

static void the_examples_are_good_policies(void **state)
{
	static const char *const names[] = { "debian12-enforce",
					     "debian12-audit" };
	char line[1024];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		snprintf(line, sizeof(line),
			 "policy build -k @vmlinuz -o @e.rwp %s/%s.yaml",
			 EXAMPLES_DIR, names[i]);
		expect(line, 0, names[i]);
		expect("policy inspect -o json @e.rwp", 0,
		       i ? "\"mode\": \"audit\"" : "\"mode\": \"enforce\"");
	}
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, open_workshop, scratch_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(from_yaml_to_a_policy_that_verifies),
		TEST(the_same_input_gives_the_same_bytes),
		TEST(a_signature_of_the_openssl_program_is_attached),
		TEST(the_openssl_program_verifies_our_signature),
		TEST(each_refusal_has_its_exit_code),
		TEST(a_failed_command_leaves_the_output_alone),
		TEST(inspect_shows_what_the_policy_says),
		TEST(load_tells_what_the_monitor_says),
		TEST(load_fails_if_less_is_in_force_than_was_asked_for),
		TEST(wrong_use_is_answered_with_the_usage),
		TEST(help_is_not_an_error),
		TEST(the_examples_are_good_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
