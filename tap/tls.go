package tap

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"mq/packet"
)

// tlsStage decrypts TLS 1.2 and 1.3 with secrets from a key log and hands what is inside to the next stage.
type tlsStage struct {
	l      *link
	slot   *stage
	reject func()
	inner  stage

	random   [32]byte // of the ClientHello
	server   [32]byte // of the ServerHello
	version  uint16   // 0 before the ServerHello
	suite    *suite
	etm      bool // MAC after encryption (RFC 7366)
	mqttALPN bool // the client says that it wants to speak MQTT
	early    bool // noted
	dir      [2]tlsDir
	plain    []byte // the last record decrypted
}

// tlsDir is one direction.
type tlsDir struct {
	in        []byte // records that are not complete, or whose keys are not there yet
	hello     []byte // handshake messages up to the hello
	greeted   bool   // the hello was read
	encrypted bool   // TLS 1.2: the cipher is in force
	epochs    []*epoch
	seq       uint64
	lost      bool // bytes are missing: wait for a segment that begins with a record
	missed    int  // records that may be missing before the next
	dead      bool
}

const (
	recordCipher    = 20
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23

	versionTLS12 = 0x0303
	versionTLS13 = 0x0304

	maxRecordBody = 1<<14 + 2048
	maxHello      = 64 << 10
	maxWaiting    = 256 << 10 // bytes held while their secret is missing
	maxMissed     = 512       // records a gap may swallow before decryption is given up
)

func newTLSStage(l *link, slot *stage, reject func()) *tlsStage {
	t := &tlsStage{l: l, slot: slot, reject: reject}
	t.inner = newProbe(l, &t.inner, LayerTLS, reject)
	return t
}

func (t *tlsStage) data(d packet.Direction, b []byte, edge bool) {
	s := &t.dir[d-1]
	if s.dead || s.lost && !(edge && isTLSRecord(b)) {
		return
	}
	s.lost = false
	s.in = append(s.in, b...)
	t.l.hold(len(b))
	if !t.l.room(0) || len(s.in) > maxWaiting {
		t.giveUp("encrypted, and --keylog does not hold the secrets of this connection")
		return
	}
	if t.records(d, s) && t.version != 0 && d == packet.ServerToClient {
		t.records(packet.ClientToServer, &t.dir[0]) // the client may have waited for the ServerHello
	}
}

// records handles the records that are complete. It returns false when the connection was given up.
func (t *tlsStage) records(d packet.Direction, s *tlsDir) bool {
	used := 0
	for len(s.in)-used >= 5 && !s.dead {
		r := s.in[used:]
		n := int(r[3])<<8 | int(r[4])
		if r[0] < recordCipher || r[0] > 24 || r[1] != 3 || n > maxRecordBody {
			t.die(s, fmt.Sprintf("what the %s sends is not TLS", d.Sender()))
			break
		}
		if len(r) < 5+n {
			break
		}
		if !t.record(d, s, r[:5+n]) {
			break
		}
		if t.over() {
			return false
		}
		used += 5 + n
	}
	t.l.hold(-used)
	s.in = s.in[:copy(s.in, s.in[used:])]
	return !t.over()
}

// over reports whether this stage has been replaced.
func (t *tlsStage) over() bool { return *t.slot != stage(t) }

// record handles one record and reports whether it could: false means later.
func (t *tlsStage) record(d packet.Direction, s *tlsDir, r []byte) bool {
	switch {
	case r[0] == recordHandshake && !s.greeted:
		t.greet(d, s, r[5:])
		return true
	case r[0] == recordAlert && !s.encrypted && len(r) == 7:
		t.alert(d, r[5], r[6])
		return true
	case t.version == versionTLS13 && r[0] != recordData:
		return true
	case t.version == 0:
		return r[0] != recordData && r[0] != recordCipher // the ServerHello says what they are
	case t.version == versionTLS13:
		return t.open(d, s, r)
	case r[0] == recordCipher && !s.encrypted:
		s.encrypted, s.seq = true, 0
		return true
	case !s.encrypted:
		return true // the rest of the handshake
	}
	return t.open(d, s, r)
}

// greet gathers handshake messages until the hello is there.
func (t *tlsStage) greet(d packet.Direction, s *tlsDir, b []byte) {
	s.hello = append(s.hello, b...)
	t.l.hold(len(b))
	m := cryptobyte.String(s.hello)
	var kind uint8
	var body cryptobyte.String
	if !m.ReadUint8(&kind) || !m.ReadUint24LengthPrefixed(&body) {
		if len(s.hello) > maxHello {
			t.die(s, "a TLS hello is too long")
		}
		return
	}
	ok := kind == byte(d) // 1 is ClientHello, 2 ServerHello
	if ok && d == packet.ClientToServer {
		ok = t.clientHello(body)
	} else if ok {
		ok = t.serverHello(body)
	}
	t.l.hold(-len(s.hello))
	s.hello = nil
	if !ok {
		t.die(s, "the TLS handshake cannot be read")
		return
	}
	s.greeted = d == packet.ClientToServer || t.version != 0
	if d == packet.ServerToClient && s.greeted && (t.suite == nil || t.version != versionTLS12 && t.version != versionTLS13) {
		t.giveUp("encrypted with a TLS version or cipher suite that is not supported")
	}
}

func (t *tlsStage) clientHello(b cryptobyte.String) bool {
	var session, suites, compression, extensions cryptobyte.String
	if !b.Skip(2) || !b.CopyBytes(t.random[:]) || !b.ReadUint8LengthPrefixed(&session) || !b.ReadUint16LengthPrefixed(&suites) ||
		!b.ReadUint8LengthPrefixed(&compression) {
		return false
	}
	if !b.ReadUint16LengthPrefixed(&extensions) {
		return true // there need not be any
	}
	for !extensions.Empty() {
		var kind uint16
		var body cryptobyte.String
		if !extensions.ReadUint16(&kind) || !extensions.ReadUint16LengthPrefixed(&body) {
			return false
		}
		if kind == 16 { // application-layer protocol negotiation
			t.mqttALPN = bytes.Contains(body, []byte("mqtt"))
		}
	}
	return true
}

// helloRetry is the random of a ServerHello that asks for another ClientHello (RFC 8446, section 4.1.3).
var helloRetry = sha256.Sum256([]byte("HelloRetryRequest"))

func (t *tlsStage) serverHello(b cryptobyte.String) bool {
	var version, id uint16
	var session, extensions cryptobyte.String
	if !b.ReadUint16(&version) || !b.CopyBytes(t.server[:]) || !b.ReadUint8LengthPrefixed(&session) || !b.ReadUint16(&id) || !b.Skip(1) {
		return false
	}
	if t.server == helloRetry {
		return true // version stays 0: the next one counts
	}
	_ = b.ReadUint16LengthPrefixed(&extensions) // there need not be any
	for !extensions.Empty() {
		var kind uint16
		var body cryptobyte.String
		if !extensions.ReadUint16(&kind) || !extensions.ReadUint16LengthPrefixed(&body) {
			return false
		}
		switch kind {
		case 43: // supported_versions
			if !body.ReadUint16(&version) {
				return false
			}
		case 22:
			t.etm = true
		}
	}
	t.version, t.suite = version, findSuite(id)
	return true
}

// open decrypts a record with the keys in force, or those that come next: a change of keys need not be followed in the
// handshake, which is itself encrypted, because a record opens with the right keys only.
func (t *tlsStage) open(d packet.Direction, s *tlsDir, r []byte) bool {
	if s.epochs == nil {
		var ok bool
		if s.epochs, ok = t.keysOf(d); !ok {
			if t.l.keys.empty() {
				t.giveUp("encrypted: give the TLS secrets with --keylog to see inside")
			}
			return t.over()
		}
	}
	for i, e := range s.epochs {
		first := s.seq
		if i > 0 {
			first = 0
		}
		for n := 0; n <= s.missed; n++ {
			plain, kind, ok := e.open(t.plain[:0], first+uint64(n), r)
			if !ok {
				continue
			}
			t.plain, s.seq, s.missed = plain, first+uint64(n)+1, 0
			s.epochs = s.epochs[i:]
			if e.next != nil && len(s.epochs) == 1 {
				s.epochs = append(s.epochs, e.next())
			}
			t.opened(d, e, kind)
			return true
		}
	}
	if s.missed > 0 && s.missed < maxMissed {
		s.missed++
		return true
	}
	t.die(s, fmt.Sprintf("what the %s sends cannot be decrypted any further", d.Sender()))
	return true
}

// opened takes a decrypted record.
func (t *tlsStage) opened(d packet.Direction, e *epoch, kind byte) {
	if e.early && !t.early {
		t.early = true
		t.l.note("the client sends early data (0-RTT), which whoever records it can send again")
	}
	if kind == recordData && len(t.plain) > 0 {
		t.inner.data(d, t.plain, true)
	}
}

func (t *tlsStage) alert(d packet.Direction, level, code byte) {
	if level != 2 || !t.l.ours && !t.mqttALPN {
		return
	}
	t.l.open(LayerTLS)
	t.l.note(fmt.Sprintf("the %s refused the TLS handshake with alert %d", d.Sender(), code))
}

// giveUp ends decryption. It says so where MQTT is to be expected inside.
func (t *tlsStage) giveUp(why string) {
	*t.slot = dropped{}
	for i := range t.dir {
		s := &t.dir[i]
		t.l.hold(-len(s.in) - len(s.hello))
		s.in, s.hello = nil, nil
	}
	if t.l.ours || t.mqttALPN || t.l.opened {
		t.l.open(LayerTLS)
		t.l.note(why)
		return
	}
	t.reject()
}

// die gives one direction up.
func (t *tlsStage) die(s *tlsDir, why string) {
	s.dead = true
	if t.l.opened {
		t.l.note(why)
		return
	}
	t.giveUp(why)
}

func (t *tlsStage) gap(d packet.Direction, n int64, _ bool) {
	s := &t.dir[d-1]
	if !s.greeted {
		t.giveUp("encrypted, and bytes of the TLS handshake that decryption needs are missing from the capture")
		return
	}
	t.l.hold(-len(s.in))
	s.in, s.lost = s.in[:0], true
	s.missed = min(maxMissed, s.missed+1+int(min(n/22, maxMissed)))
	if t.l.opened {
		t.inner.gap(d, n, false)
	}
}

func (t *tlsStage) finish(why error) {
	if t.version != 0 && !t.l.opened && len(t.dir[0].in)+len(t.dir[1].in) > 0 {
		t.giveUp("encrypted, and --keylog does not hold the secrets of this connection")
		return
	}
	t.inner.finish(why)
}
