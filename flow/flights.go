package flow

import (
	"cmp"
	"slices"

	"mq/packet"
)

// step is a Step with the time as nanoseconds.
type step struct {
	number, at int64
	conn       ConnID
	typ        packet.Type
	dir        packet.Direction
}

// step returns the packet at hand as one.
func (t *Tracker) step() step { return step{t.ev.Number, t.now, t.ev.Conn, t.ev.Type, t.ev.Dir} }

// flight is a handshake that has not ended: a PUBLISH above QoS 0, SUBSCRIBE or UNSUBSCRIBE.
type flight struct {
	used     bool
	kind     Kind
	id       uint16
	resent   uint16
	carried  bool // begun on an earlier connection of the session and not sent again on this one
	counted  bool // takes a place in this connection's receive maximum
	reported bool // its missing answer was reported
	released bool // PUBREL was sent
	shared   bool // only a shared subscription matches it
	wanted   bool // some subscription matches it, or none is known
	n        int8
	number   int64  // of the handshake
	seq      uint64 // the order of PUBLISH on its side, by kind
	recSeq   uint64 // the order of PUBREC
	hash     uint64 // of topic and payload
	topic    uint64 // hash of the topic
	expiry   uint32 // message expiry interval, 0 for none
	origin   int64  // the remembered message this delivers, 0 for none
	steps    [4]step
	request  *request // SUBSCRIBE and UNSUBSCRIBE
}

func (f *flight) add(s step) {
	if int(f.n) < len(f.steps) {
		f.n++
	}
	f.steps[f.n-1] = s
}

func (f *flight) last() *step { return &f.steps[max(f.n, 1)-1] }

// flights holds the handshakes one side has begun, by packet identifier: an open-addressed table, because identifiers come
// and go with every message and a map would cost more than the rest.
type flights struct {
	slots []flight
	n     int
}

func (t *flights) home(id uint16) int { return int(id) & (len(t.slots) - 1) }

func (t *flights) get(id uint16) *flight {
	if t.n == 0 {
		return nil
	}
	for i := t.home(id); t.slots[i].used; i = (i + 1) & (len(t.slots) - 1) {
		if t.slots[i].id == id {
			return &t.slots[i]
		}
	}
	return nil
}

// put makes room for id, which is not there. The pointer is valid until the next put or remove.
func (t *flights) put(id uint16) *flight {
	if 4*(t.n+1) > 3*len(t.slots) {
		old := t.slots
		t.slots = make([]flight, max(8, 2*len(old)))
		for i := range old {
			if old[i].used {
				*t.free(old[i].id) = old[i]
			}
		}
	}
	t.n++
	f := t.free(id)
	*f = flight{used: true, id: id}
	return f
}

func (t *flights) free(id uint16) *flight {
	i := t.home(id)
	for t.slots[i].used {
		i = (i + 1) & (len(t.slots) - 1)
	}
	return &t.slots[i]
}

// remove takes id out and closes the hole behind it.
func (t *flights) remove(id uint16) {
	f := t.get(id)
	if f == nil {
		return
	}
	t.n--
	mask := len(t.slots) - 1
	hole := t.home(id)
	for &t.slots[hole] != f {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; t.slots[i].used; i = (i + 1) & mask {
		if (i-t.home(t.slots[i].id))&mask >= (i-hole)&mask {
			t.slots[hole] = t.slots[i]
			hole = i
		}
	}
	t.slots[hole].used, t.slots[hole].request = false, nil
	if t.n == 0 && len(t.slots) >= 1024 {
		t.slots = nil // a burst is over
	}
}

// recent remembers a few identifiers that were freed not long ago.
type recent struct {
	ids  []freed
	next int
}

type freed struct {
	id   uint16
	hash uint64
}

func (r *recent) add(id uint16, hash uint64) {
	if r.ids == nil {
		r.ids = make([]freed, 8)
	}
	r.ids[r.next%len(r.ids)] = freed{id, hash}
	r.next++
}

func (r *recent) has(id uint16) (uint64, bool) {
	for _, e := range r.ids {
		if e.id == id && id != 0 {
			return e.hash, true
		}
	}
	return 0, false
}

// forget takes id out, because it is in use again.
func (r *recent) forget(id uint16) {
	for i := range r.ids {
		if r.ids[i].id == id {
			r.ids[i].id = 0
		}
	}
}

func sortFlights(list []*flight) {
	slices.SortFunc(list, func(a, b *flight) int { return cmp.Compare(a.number, b.number) })
}
