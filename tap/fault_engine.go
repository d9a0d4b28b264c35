package tap

import (
	"math/rand/v2"
	"sync"
	"time"

	"mq/packet"
)

// dice is the source of chance that the connections of a proxy share.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed uint64) *dice {
	if seed == 0 {
		seed = rand.Uint64()
	}
	return &dice{r: rand.New(rand.NewPCG(seed, seed))}
}

func (d *dice) hit(p float64) bool {
	if p >= 1 {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Float64() < p
}

func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// injector does the faults of one direction of one connection.
type injector struct {
	rules   []*FaultRule
	dice    *dice
	dir     packet.Direction
	version func() packet.Version // as the client's CONNECT said
	counts  []int                 // per rule, packets that matched
}

// deed is what becomes of a packet.
type deed struct {
	bytes  []byte // to forward
	delay  time.Duration
	cut    bool // close the connection then
	faults []Fault
}

// apply decides what becomes of the packet raw at offset. It may return raw itself as the bytes to forward.
func (in *injector) apply(offset int64, raw []byte) deed {
	d := deed{bytes: raw}
	for i, r := range in.rules {
		if !r.matches(in.dir, raw) {
			continue
		}
		in.counts[i]++
		if r.After > 0 && in.counts[i] != r.After || !in.dice.hit(r.Probability) {
			continue
		}
		f := Fault{Rule: r, Offset: offset}
		switch r.Action {
		case FaultDrop:
			d.bytes = nil
		case FaultDelay:
			d.delay = max(d.delay, r.Delay)
		case FaultDuplicate:
			d.bytes = append(append([]byte(nil), d.bytes...), d.bytes...)
		case FaultCut:
			d.cut = true
		case FaultTruncate:
			f.Forwarded = 1 + in.dice.below(max(1, len(raw)-1)) // at least a byte, and not all
			d.bytes, d.cut = raw[:min(f.Forwarded, len(raw))], true
		case FaultReason:
			changed, ok := withReason(raw, in.version(), r.Code)
			if !ok {
				continue // the version has no place for it
			}
			d.bytes = changed
		}
		d.faults = append(d.faults, f)
		if r.Action == FaultDrop || d.cut {
			break
		}
	}
	return d
}

// withReason returns raw with another reason code, even one that the specification does not allow there; false when the
// packet has no place for one in version v.
func withReason(raw []byte, v packet.Version, code packet.ReasonCode) ([]byte, bool) {
	h, err := packet.ParseHeader(raw)
	if err != nil {
		return nil, false
	}
	body := append([]byte(nil), raw[h.Size:]...)
	switch h.Type {
	case packet.CONNACK:
		if len(body) < 2 {
			return nil, false
		}
		body[1] = byte(code)
	case packet.SUBACK, packet.UNSUBACK:
		at := 2
		if v == packet.V5 && len(body) > 2 {
			n, size, err := packet.Varint(body[2:])
			if err != nil {
				return nil, false
			}
			at += size + int(n)
		}
		if at >= len(body) {
			return nil, false // UNSUBACK has no codes before 5.0
		}
		for i := at; i < len(body); i++ {
			body[i] = byte(code)
		}
	default: // the acknowledgements, and DISCONNECT and AUTH, may leave the code out, in 5.0 only
		at := 2
		if h.Type == packet.DISCONNECT || h.Type == packet.AUTH {
			at = 0
		}
		if v != packet.V5 || len(body) < at {
			return nil, false
		}
		if len(body) == at {
			body = append(body, 0)
		}
		body[at] = byte(code)
	}
	out, err := packet.AppendVarint([]byte{raw[0]}, uint32(len(body)))
	return append(out, body...), err == nil
}
