package packet

import "strings"

// filterFault returns the rule a topic filter breaks and, where that helps, the place in it; nil when it is well formed.
// Shared tells that "$share/" is special, as it is in 5.0 only (section 4.8.2). The encoding is judged elsewhere.
func filterFault(s string, shared bool) *Rule {
	if s == "" {
		return &ruleFilterEmpty // [MQTT-4.7.3-1]
	}
	if rest, ok := strings.CutPrefix(s, "$share/"); ok && shared {
		name, filter, _ := strings.Cut(rest, "/")
		switch {
		case name == "":
			return &ruleShareName // [MQTT-4.8.2-1]
		case filter == "" || strings.ContainsAny(name, "+#"):
			return &ruleShareFilter // [MQTT-4.8.2-2]
		}
	}
	for rest, more := s, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		switch {
		case strings.Contains(level, "#") && (level != "#" || more):
			return &ruleHashPlace // [MQTT-4.7.1-1]
		case strings.Contains(level, "+") && level != "+":
			return &rulePlusPlace // [MQTT-4.7.1-2]
		}
	}
	return nil
}

// filter reads the topic filter of a SUBSCRIBE or UNSUBSCRIBE.
func (r *reader) filter(encoding *Rule) string {
	s := r.str("Topic Filter", &rulePastEnd, encoding)
	if r.dead {
		return ""
	}
	f := string(s)
	if rule := filterFault(f, r.v == V5); rule != nil {
		r.fault(rule, "Topic Filter", r.off-len(s), r.off)
	}
	return f
}

// isShared reports whether s is the filter of a shared subscription in 5.0.
func isShared(s string) bool { return strings.HasPrefix(s, "$share/") }
