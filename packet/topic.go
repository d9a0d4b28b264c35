package packet

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxStringLen is the greatest length in bytes of a UTF-8 string on the wire (section 1.5.4 of 5.0, 1.5.3 of 3.1.1).
const MaxStringLen = 65535

// TopicError says why a topic name or topic filter is not valid.
type TopicError struct {
	Kind   string // "topic name" or "topic filter"
	Topic  string
	Reason string
	Rule   string // the 5.0 normative statement it breaks
}

// Error names the fault and quotes the topic; what is longer than 60 bytes is shortened.
func (e *TopicError) Error() string {
	t := e.Topic
	if len(t) > 60 {
		t = t[:57] + "..."
	}
	return fmt.Sprintf("%s %q: %s [%s]", e.Kind, t, e.Reason, e.Rule)
}

// CheckTopicName reports why s cannot be the topic of a PUBLISH: empty, longer than 65,535 bytes, not UTF-8, holding
// U+0000 or a wildcard [MQTT-3.3.2-2]. The error is a *TopicError.
func CheckTopicName(s string) error {
	if err := checkTopicString("topic name", s); err != nil {
		return err
	}
	if i := strings.IndexAny(s, "+#"); i >= 0 {
		return &TopicError{"topic name", s, fmt.Sprintf("the wildcard %q is allowed in a subscription only", s[i]), "MQTT-3.3.2-2"}
	}
	return nil
}

// CheckTopicFilter reports why s cannot be the topic filter of a SUBSCRIBE: what CheckTopicName refuses, except
// wildcards, which must stand for whole levels [MQTT-4.7.1-1] [MQTT-4.7.1-2], and a shared subscription without a name
// or filter [MQTT-4.8.2-1] [MQTT-4.8.2-2]. The error is a *TopicError.
func CheckTopicFilter(s string) error {
	const kind = "topic filter"
	if err := checkTopicString(kind, s); err != nil {
		return err
	}
	if s == "$share" {
		return &TopicError{kind, s, "a shared subscription is $share/NAME/FILTER", "MQTT-4.8.2-2"}
	}
	if rule := filterFault(s, true); rule != nil {
		return &TopicError{kind, s, rule.Text, rule.ID(V5)}
	}
	return nil
}

func checkTopicString(kind, s string) error {
	switch {
	case s == "":
		return &TopicError{kind, s, "must have at least one character", "MQTT-4.7.3-1"}
	case len(s) > MaxStringLen:
		return &TopicError{kind, s, fmt.Sprintf("%d bytes, the limit is %d", len(s), MaxStringLen), "MQTT-4.7.3-3"}
	case !utf8.ValidString(s):
		return &TopicError{kind, s, "not valid UTF-8", "MQTT-1.5.4-1"}
	case strings.IndexByte(s, 0) >= 0:
		return &TopicError{kind, s, "must not hold the character U+0000", "MQTT-4.7.3-2"}
	}
	return nil
}

// MatchTopic reports whether the topic filter matches the topic name (section 4.7). A filter that begins with a
// wildcard does not match a name that begins with "$" [MQTT-4.7.2-1]. The "$share/NAME/" of a shared subscription is
// left out of the comparison.
func MatchTopic(filter, name string) bool {
	if rest, ok := strings.CutPrefix(filter, "$share/"); ok {
		if _, f, ok := strings.Cut(rest, "/"); ok {
			filter = f
		}
	}
	if strings.HasPrefix(name, "$") && (strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")) {
		return false
	}
	for {
		f, frest, fmore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		n, nrest, nmore := strings.Cut(name, "/")
		if f != "+" && f != n {
			return false
		}
		switch {
		case fmore && !nmore:
			return frest == "#" // "home/#" also matches "home" (section 4.7.1.2)
		case fmore != nmore:
			return false
		case !fmore:
			return true
		}
		filter, name = frest, nrest
	}
}
