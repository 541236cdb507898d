# SPDX-License-Identifier: BSD-2-Clause
#
# What the tables of interleaved rounds are made with.

# The value of a key in the JSON of this line.
function value(key,  v) {
	v = $0
	if (!sub(".*\"" key "\":\"?", "", v))
		return ""
	sub("[\",}].*", "", v)
	return v
}

# Sorts so many values, from the first, and returns their median.
function median(values, count,  i, j, t) {
	for (i = 2; i <= count; i++)
		for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
			t = values[j]; values[j] = values[j - 1]
			values[j - 1] = t
		}
	if (count % 2)
		return values[(count + 1) / 2]
	return (values[count / 2] + values[count / 2 + 1]) / 2
}
