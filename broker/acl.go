package broker

import "strings"

const sharePrefix = "$share/"

// access is what a rule is about; a rule that denies is about both directions.
type access byte

const (
	reads  access = 1
	writes access = 2
	denies access = 4
)

var accessWords = map[string]access{"read": reads, "write": writes, "readwrite": reads | writes, "deny": denies}

type rule struct {
	access access
	filter string
}

// acl is the access list of one client. A nil one allows everything.
type acl struct {
	rules      []rule // with the names filled in
	restricted bool   // what no rule allows is forbidden
}

// aclFor returns the access list of a client. name is "" for a client without user name.
func (u *Users) aclFor(name, clientID string) *acl {
	if u == nil {
		return nil
	}
	own := u.everyone
	rules := u.everyone
	if known := u.byName[name]; known != nil {
		own = known.rules
		rules = append(rules[:len(rules):len(rules)], own...)
	}
	a := &acl{}
	for _, r := range own {
		a.restricted = a.restricted || r.access != denies
	}
	for _, r := range rules {
		if filter, ok := r.expand(name, clientID); ok {
			a.rules = append(a.rules, rule{r.access, filter})
		}
	}
	return a
}

// expand fills in the names. A name that would change the meaning of the filter makes the rule void, but a rule that
// denies must not be escaped by a clever name: the whole level becomes a wildcard.
func (r rule) expand(name, clientID string) (string, bool) {
	levels := strings.Split(r.filter, "/")
	for i, l := range levels {
		for _, v := range []struct{ key, value string }{{"%u", name}, {"%c", clientID}} {
			if !strings.Contains(levels[i], v.key) {
				continue
			}
			if v.value == "" && r.access != denies {
				return "", false
			}
			if strings.ContainsAny(v.value, "+#/") {
				if r.access != denies {
					return "", false
				}
				levels = append(levels[:i:i], "#") // the name may span levels
				return strings.Join(levels, "/"), true
			}
			levels[i] = strings.ReplaceAll(l, v.key, v.value)
			l = levels[i]
		}
	}
	return strings.Join(levels, "/"), true
}

func (a *acl) canRead(topic string) bool  { return a.allows(reads, topic) }
func (a *acl) canWrite(topic string) bool { return a.allows(writes, topic) }

// canSubscribe reports whether everything filter matches may be read, but for what is denied in part of it.
func (a *acl) canSubscribe(filter string) bool {
	if rest, ok := strings.CutPrefix(filter, sharePrefix); ok {
		_, filter, _ = strings.Cut(rest, "/")
	}
	return a.allows(reads, filter)
}

// allows decides over a topic, or over a filter as a whole.
func (a *acl) allows(want access, topic string) bool {
	if a == nil {
		return true
	}
	allowed := !a.restricted
	for _, r := range a.rules {
		switch {
		case r.access == denies:
			if covers(r.filter, topic) {
				return false
			}
		case r.access&want != 0:
			allowed = allowed || covers(r.filter, topic)
		}
	}
	return allowed
}

// covers reports whether filter matches every topic that the filter (or topic) sub matches.
func covers(filter, sub string) bool {
	// Wildcards in the first level do not match topics that begin with $ [MQTT-4.7.2-1].
	if strings.HasPrefix(sub, "$") && (filter[0] == '#' || filter[0] == '+') {
		return false
	}
	for more := true; more; {
		var f string
		f, filter, more = strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		s, rest, subMore := strings.Cut(sub, "/")
		if s == "#" || f != "+" && f != s {
			return false
		}
		if more && !subMore {
			return filter == "#" // sport/# matches sport [section 4.7.1.2]
		}
		if !more && subMore {
			return false
		}
		sub = rest
	}
	return true
}
