package commands

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// setterCase gives a value to an option and says what must come of it: an error, or the value as read.
type setterCase struct {
	value string
	want  any
	err   string
}

// try runs the cases of a setter; read returns the variable it sets.
func try(t *testing.T, set func(string) error, read func() any, cases []setterCase) {
	t.Helper()
	for _, c := range cases {
		err := set(c.value)
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%q: error %v, want %q", c.value, err, c.err)
		case c.err == "" && err != nil:
			t.Errorf("%q: %v", c.value, err)
		case c.err == "":
			if diff := cmp.Diff(c.want, read()); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.value, diff)
			}
		}
	}
}

func TestSetInt(t *testing.T) {
	var n int
	try(t, setInt(&n, 0, 65535), func() any { return n }, []setterCase{
		{value: "0", want: 0}, {value: "65535", want: 65535}, {value: "+7", want: 7}, {value: "007", want: 7},
		{value: "65536", err: "want a whole number from 0 to 65535"}, {value: "-1", err: "from 0"}, {value: "1.5", err: "whole"},
		{value: "", err: "whole"}, {value: "0x10", err: "whole"}, {value: "99999999999999999999", err: "whole"},
	})
	try(t, setInt(&n, 1, math.MaxInt), func() any { return n }, []setterCase{{value: "0", err: "want a whole number from 1"}})
	if n != 7 {
		t.Errorf("a refused value was kept: %d", n)
	}
}

func TestSetFloat(t *testing.T) {
	var f float64
	try(t, setFloat(&f, 0.1, 100), func() any { return f }, []setterCase{
		{value: "0.1", want: 0.1}, {value: "100", want: 100.0}, {value: "1e1", want: 10.0},
		{value: "0.09", err: "want a number from 0.1 to 100"}, {value: "NaN", err: "number"}, {value: "Inf", err: "number"}, {value: "", err: "number"},
	})
	try(t, setFloat(&f, 0.001, math.Inf(1)), func() any { return f }, []setterCase{{value: "0", err: "want a number from 0.001"}})
}

func TestSetDuration(t *testing.T) {
	var d time.Duration
	try(t, setDuration(&d, time.Millisecond), func() any { return d }, []setterCase{
		{value: "1", want: time.Second}, {value: "0.5", want: 500 * time.Millisecond}, {value: "200ms", want: 200 * time.Millisecond},
		{value: "2m", want: 2 * time.Minute}, {value: "1h30m", want: 90 * time.Minute},
		{value: "0", err: "at least 1ms"}, {value: "-1", err: "at least"}, {value: "soon", err: "want seconds or a duration"},
		{value: "1 s", err: "want"}, {value: "1e30", err: "want"}, {value: "NaN", err: "want"}, {value: "", err: "want"},
	})
	try(t, setDuration(&d, 0), func() any { return d }, []setterCase{{value: "0", want: time.Duration(0)}, {value: "-1s", err: "want"}})
}

func TestSetBoolAndCount(t *testing.T) {
	var b bool
	try(t, setBool(&b), func() any { return b }, []setterCase{{value: "true", want: true}, {value: "0", want: false}, {value: "maybe", err: "want true or false"}})
	var n int
	try(t, countBool(&n), func() any { return n }, []setterCase{
		{value: "true", want: 1}, {value: "true", want: 2}, {value: "false", want: 0}, {value: "perhaps", err: "want true or false"}})
}

func TestSetStrings(t *testing.T) {
	var s string
	try(t, setString(&s), func() any { return s }, []setterCase{{value: "a", want: "a"}, {value: "", want: ""}})
	var list []string
	try(t, addString(&list), func() any { return list }, []setterCase{{value: "a,b", want: []string{"a,b"}}, {value: "", want: []string{"a,b", ""}}})
	try(t, setOneOf(&s, "one", "two", "three"), func() any { return s }, []setterCase{{value: "two", want: "two"}, {value: "four", err: "want one, two or three"}})
	try(t, setOneOf(&s, "one"), func() any { return s }, []setterCase{{value: "two", err: "want one"}})
}

func TestOptionErrorsHideSecrets(t *testing.T) {
	var n int
	o := &option{name: "token", arg: "N", secret: true, set: setInt(&n, 0, 9)}
	o.give("s3cret", fromFlag)
	if o.err == nil || strings.Contains(o.err.Error(), "s3cret") {
		t.Errorf("error %v", o.err)
	}
	o = &option{name: "plain", arg: "N", set: setInt(&n, 0, 9)}
	o.give("x", fromFlag)
	o.give("5", fromFlag)
	if want := `--plain "x": want a whole number from 0 to 9`; o.err == nil || o.err.Error() != want {
		t.Errorf("error %v, want %s: the first mistake stays", o.err, want)
	}
}

func TestOptionNames(t *testing.T) {
	long, short := &option{name: "will-qos", arg: "QOS"}, &option{name: "topic", short: "t", arg: "TOPIC", env: "MQ_X"}
	got := []string{long.String(), short.String(), long.variable(), short.variable(), dashed("q"), dashed("qos")}
	want := []string{"    --will-qos QOS", "-t, --topic TOPIC", "MQ_WILL_QOS", "MQ_X", "-q", "--qos"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"pbu", "pub", 2}, {"kitten", "sitting", 3}, {"a", "b", 1}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := editDistance(c.b, c.a); got != c.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	list := []string{"pub", "sub", "broker", "demo", "retain", "retain-handling"}
	for in, want := range map[string]string{
		"pbu": "pub", "retian": "retain", "brokre": "broker", "wombat": "", "publish": "", "": "", "retain-handing": "retain-handling"} {
		if got := nearest(in, list); got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestJoinedLetters(t *testing.T) {
	options := []*option{{name: "debug", short: "d"}, {name: "verbose", short: "v"}, {name: "topic", short: "t", arg: "TOPIC"}, {name: "quiet"}}
	for in, want := range map[string]string{"dv": "-d -v", "vv": "-v -v", "dt": "", "dx": "", "d": "", "": ""} {
		if got := joined(in, options); got != want {
			t.Errorf("joined(%q) = %q, want %q", in, got, want)
		}
	}
}
