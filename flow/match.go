package flow

import (
	"bytes"
	"strings"

	"mq/packet"
)

// match is what the subscriptions of a session say about a topic.
type match struct {
	topic uint64
	gen   uint32
	set   bool

	n, plain int // matching subscriptions, and those that are not shared
	wait     bool
	granted  packet.QoS // the greatest
	was      packet.QoS // the greatest, before the last SUBSCRIBE to the same filter
	share    string     // the filter of a shared one
	// What all, or some, of them have set.
	noLocal, rap, someRap, someID, allID bool
	// None of them gets retained messages; handling 2 said so for the last one.
	noRetained, never bool
	asked, since      int64 // the latest
	gone              int64 // when a matching one was ended last
	dollar            bool  // a filter matches only if "$" were an ordinary character
	folded            string
}

// matchTopic looks up or works out what the subscriptions say about topic.
func (s *session) matchTopic(topic []byte, hash uint64) *match {
	if s.cache == nil {
		s.cache = make([]match, 4)
	}
	m := &s.cache[hash%uint64(len(s.cache))]
	if m.set && m.topic == hash && m.gen == s.gen {
		return m
	}
	if s.misses++; s.misses == 256 {
		s.cache = make([]match, 64) // it is one with many topics
		m = &s.cache[hash%uint64(len(s.cache))]
	}
	*m = match{topic: hash, gen: s.gen, set: true, noLocal: true, rap: true, allID: true, noRetained: true}
	for _, sub := range s.subs {
		_, filter, _ := splitShare(sub.filter)
		if !sub.shared {
			filter = sub.filter
		}
		if matches(filter, topic) {
			m.add(sub)
		} else if sub.live {
			m.nearly(filter, topic)
		}
	}
	return m
}

func (m *match) add(sub *subscription) {
	if !sub.live && sub.wait == 0 {
		m.gone = max(m.gone, sub.gone)
		return
	}
	m.n++
	m.asked, m.since = max(m.asked, sub.asked), max(m.since, sub.since)
	granted, was := sub.granted, sub.was
	if sub.wait > 0 {
		m.wait = true
		granted, was = max(granted, sub.opts.QoS), max(was, sub.opts.QoS)
	}
	m.granted, m.was = max(m.granted, granted), max(m.was, was)
	m.someRap = m.someRap || sub.opts.RetainAsPublished
	m.rap = m.rap && sub.opts.RetainAsPublished
	m.noLocal = m.noLocal && sub.opts.NoLocal
	m.someID, m.allID = m.someID || sub.id != 0, m.allID && sub.id != 0
	if sub.shared {
		m.share = sub.filter
		return
	}
	m.plain++
	never := sub.opts.RetainHandling == 2
	m.never = m.never || never
	m.noRetained = m.noRetained && (never || sub.opts.RetainHandling == 1 && !sub.isNew)
}

// nearly notes a filter that does not match, but would if topics were compared otherwise.
func (m *match) nearly(filter string, topic []byte) {
	if len(topic) > 0 && topic[0] == '$' && (strings.HasPrefix(filter, "#") || strings.HasPrefix(filter, "+")) {
		m.dollar = m.dollar || matches(filter, append([]byte{'_'}, topic[1:]...))
		return
	}
	folded := bytes.TrimRight(bytes.ToLower(topic), "/")
	if m.folded == "" && matches(strings.TrimRight(strings.ToLower(filter), "/"), folded) {
		m.folded = filter
	}
}

// matches is packet.MatchTopic for a name in bytes.
func matches(filter string, name []byte) bool {
	if len(name) > 0 && name[0] == '$' && filter != "" && (filter[0] == '+' || filter[0] == '#') {
		return false // [MQTT-4.7.2-1]
	}
	for {
		f, frest, fmore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		n, nrest, nmore := bytes.Cut(name, slash)
		if f != "+" && f != string(n) {
			return false
		}
		switch {
		case fmore && !nmore:
			return frest == "#"
		case fmore != nmore:
			return false
		case !fmore:
			return true
		}
		filter, name = frest, nrest
	}
}

var slash = []byte("/")
