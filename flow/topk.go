package flow

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// topCounter counts the most frequent of any number of names in a fixed number of places, after the space-saving
// algorithm: a name that finds no place takes that of a rare one and inherits its count, which is then an upper bound.
// The rare one is the least of a few, not of all. Memory of names is used again.
type topCounter struct {
	index map[uint64]int32
	slots []topSlot
	limit int
	hand  int
}

type topSlot struct {
	hash         uint64
	name         []byte
	count, bytes int64
	over         int64 // how much of count may belong to others
}

func newTopCounter(limit int) *topCounter {
	return &topCounter{index: make(map[uint64]int32), limit: limit}
}

// get returns the place of name; its counts are the caller's to raise. It is valid until the next call.
func (t *topCounter) get(hash uint64, name []byte) *topSlot {
	if i, ok := t.index[hash]; ok {
		return &t.slots[i]
	}
	return t.enter(hash, name)
}

func (t *topCounter) enter(hash uint64, name []byte) *topSlot {
	i := len(t.slots)
	if i < t.limit {
		t.slots = append(t.slots, topSlot{})
	} else {
		i = t.victim()
		delete(t.index, t.slots[i].hash)
	}
	s := &t.slots[i]
	kept := s.name[:0]
	if cap(kept) > 4096 {
		kept = nil
	}
	*s = topSlot{hash: hash, name: append(kept, name...), count: s.count, over: s.count}
	t.index[hash] = int32(i)
	return s
}

// victim returns the least counted of eight neighbours.
func (t *topCounter) victim() int {
	best := t.hand % len(t.slots)
	for range 8 {
		t.hand++
		if i := t.hand % len(t.slots); t.slots[i].count < t.slots[best].count {
			best = i
		}
	}
	return best
}

// name returns the name of hash while it has a place, else nil. It is valid until the next get.
func (t *topCounter) name(hash uint64) []byte {
	if i, ok := t.index[hash]; ok {
		return t.slots[i].name
	}
	return nil
}

// top returns the n most frequent.
func (t *topCounter) top(n int) []Count {
	var list []Count
	for _, s := range t.slots {
		list = append(list, Count{string(s.name), s.count, s.bytes, s.over})
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(n, len(list))]
}

// plain reports whether s is printable ASCII. It looks at eight bytes at a time.
func plain(s []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for len(s) >= 8 {
		w := binary.LittleEndian.Uint64(s)
		// A byte below 0x20 borrows, one above 0x7e carries or has its top bit set.
		if ((w-0x20*ones)|(w+ones)|w)&high != 0 {
			return false
		}
		s = s[8:]
	}
	for _, c := range s {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}
