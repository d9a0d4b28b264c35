package packet

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckTopicName(t *testing.T) {
	long := strings.Repeat("t", MaxStringLen)
	for s, rule := range map[string]string{
		"a": "", "/": "", " ": "", "a/b/": "", "$SYS/broker": "", "héllo/世界": "", "a\nb": "", long: "",
		"": "MQTT-4.7.3-1", long + "t": "MQTT-4.7.3-3", "a\xff": "MQTT-1.5.4-1", "\xed\xa0\x80": "MQTT-1.5.4-1", "a\x00": "MQTT-4.7.3-2",
		"a/+": "MQTT-3.3.2-2", "#": "MQTT-3.3.2-2", "a+b": "MQTT-3.3.2-2",
	} {
		checkTopicRule(t, "name", s, rule, CheckTopicName(s))
	}
}

func TestCheckTopicFilter(t *testing.T) {
	long := strings.Repeat("t", MaxStringLen)
	for s, rule := range map[string]string{
		"a": "", "/": "", "#": "", "+": "", "+/+": "", "/+": "", "a/#": "", "/#": "", "+/#": "", "a/+/b": "", "$SYS/#": "", long: "",
		"$share/g/a": "", "$share/g//a": "", "$share/g/+/#": "", "$shared": "", "$shares/x": "",
		"": "MQTT-4.7.3-1", long + "t": "MQTT-4.7.3-3", "a\xff": "MQTT-1.5.4-1", "a\x00": "MQTT-4.7.3-2",
		"a#": "MQTT-4.7.1-1", "a/#/b": "MQTT-4.7.1-1", "#/": "MQTT-4.7.1-1", "##": "MQTT-4.7.1-1", "a+": "MQTT-4.7.1-2", "+a/b": "MQTT-4.7.1-2", "++": "MQTT-4.7.1-2",
		"$share": "MQTT-4.8.2-2", "$share/g": "MQTT-4.8.2-2", "$share/g/": "MQTT-4.8.2-2", "$share//a": "MQTT-4.8.2-1", "$share/": "MQTT-4.8.2-1",
		"$share/g+/a": "MQTT-4.8.2-2", "$share/#/a": "MQTT-4.8.2-2", "$share/g/a#": "MQTT-4.7.1-1",
	} {
		checkTopicRule(t, "filter", s, rule, CheckTopicFilter(s))
	}
}

func checkTopicRule(t *testing.T, kind, s, rule string, err error) {
	t.Helper()
	var e *TopicError
	if rule == "" {
		if err != nil {
			t.Errorf("%s %.40q: %v", kind, s, err)
		}
		return
	}
	if !errors.As(err, &e) || e.Rule != rule || e.Topic != s || !strings.Contains(e.Kind, kind) || e.Reason == "" {
		t.Errorf("%s %.40q: %v, want %s", kind, s, err, rule)
		return
	}
	if msg := e.Error(); len(msg) > 250 || !strings.Contains(msg, rule) || !utf8.ValidString(msg) {
		t.Errorf("%s %.40q reads %q", kind, s, msg)
	}
}

func TestMatchTopic(t *testing.T) {
	for _, c := range []struct {
		filter, name string
		want         bool
	}{
		{"home", "home", true}, {"home", "Home", false}, {"home", "home/", false}, {"home/", "home/", true}, {"/home", "home", false},
		{"home/#", "home", true}, {"home/#", "home/", true}, {"home/#", "home/a/b", true}, {"home/#", "homes", false}, {"home/#", "hom", false},
		{"#", "a", true}, {"#", "/", true}, {"#", "a/b/c", true}, {"/#", "/a", true}, {"/#", "a", false},
		{"+", "a", true}, {"+", "", true}, {"+", "a/b", false}, {"+", "/a", false}, {"+/+", "/a", true}, {"/+", "/a", true}, {"+/b", "a/b", true},
		{"a/+/c", "a/b/c", true}, {"a/+/c", "a//c", true}, {"a/+/c", "a/c", false}, {"a/+", "a", false}, {"a/+", "a/", true}, {"+/#", "a", true}, {"a/+/#", "a/b", true},
		{"a/+/#", "a", false},
		{"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"+", "$SYS", false}, {"$SYS/#", "$SYS/x", true}, {"$SYS/+", "$SYS/x", true}, {"$SYS/#", "$SYS", true},
		{"a/#", "a/$SYS", true}, {"a/+", "a/$x", true},
		{"$share/g/a/#", "a/b", true}, {"$share/g/#", "a", true}, {"$share/g/#", "$SYS/x", false}, {"$share/g//a", "/a", true}, {"$share/g/a", "b", false},
		{"$share/g", "$share/g", true},
		{"a", "", false}, {"", "", true}, {"", "a", false},
	} {
		if got := MatchTopic(c.filter, c.name); got != c.want {
			t.Errorf("MatchTopic(%q, %q) = %v", c.filter, c.name, got)
		}
	}
}

// FuzzMatchTopic holds that matching never panics, that a name matches itself, and that "#" matches what does not begin
// with "$".
func FuzzMatchTopic(f *testing.F) {
	for _, s := range []string{"", "/", "#", "+", "a/#", "a/+/b", "$SYS/#", "$share/g/a", "$share", "$share/", "//", "+/#"} {
		f.Add(s, "a/b")
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, filter, name string) {
		got := MatchTopic(filter, name)
		if CheckTopicName(name) != nil {
			return
		}
		if !strings.HasPrefix(name, "$share/") && !MatchTopic(name, name) {
			t.Errorf("%q does not match itself", name)
		}
		if MatchTopic("#", name) == strings.HasPrefix(name, "$") {
			t.Errorf(`"#" matches %q: %v`, name, !got)
		}
		if got && !strings.ContainsAny(filter, "+#") && !strings.HasPrefix(filter, "$share/") && filter != name {
			t.Errorf("%q matches %q", filter, name)
		}
	})
}
