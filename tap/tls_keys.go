package tap

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/cryptobyte"

	"mq/packet"
)

// suite is how a cipher suite protects records.
type suite struct {
	ids  []uint16
	hash func() hash.Hash // of the key schedule
	key  int              // bytes of the key
	iv   int              // bytes of the nonce that come from the handshake
	aead func(key []byte) (cipher.AEAD, error)
	mac  func() hash.Hash // CBC
}

func newGCM(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// suites are those supported, of TLS 1.3 and, whatever the key exchange, of 1.2.
var suites = []suite{
	{ids: []uint16{0x1301}, hash: sha256.New, key: 16, iv: 12, aead: newGCM},
	{ids: []uint16{0x1302}, hash: sha512.New384, key: 32, iv: 12, aead: newGCM},
	{ids: []uint16{0x1303}, hash: sha256.New, key: 32, iv: 12, aead: chacha20poly1305.New},
	{ids: []uint16{0x9c, 0x9e, 0xa8, 0xaa, 0xac, 0xc02b, 0xc02d, 0xc02f, 0xc031, 0xd001}, hash: sha256.New, key: 16, iv: 4, aead: newGCM},
	{ids: []uint16{0x9d, 0x9f, 0xa9, 0xab, 0xad, 0xc02c, 0xc02e, 0xc030, 0xc032, 0xd002}, hash: sha512.New384, key: 32, iv: 4, aead: newGCM},
	{ids: []uint16{0xcca8, 0xcca9, 0xccaa, 0xccab, 0xccac, 0xccad}, hash: sha256.New, key: 32, iv: 12, aead: chacha20poly1305.New},
	{ids: []uint16{0x2f, 0x33, 0x8c, 0x90, 0xc009, 0xc013, 0xc035}, hash: sha256.New, key: 16, mac: sha1.New},
	{ids: []uint16{0x35, 0x39, 0x8d, 0x91, 0xc00a, 0xc014, 0xc036}, hash: sha256.New, key: 32, mac: sha1.New},
	{ids: []uint16{0x3c, 0x67, 0xae, 0xb2, 0xc023, 0xc027, 0xc037}, hash: sha256.New, key: 16, mac: sha256.New},
	{ids: []uint16{0x3d, 0x6b}, hash: sha256.New, key: 32, mac: sha256.New},
	{ids: []uint16{0xaf, 0xb3, 0xc024, 0xc028, 0xc038}, hash: sha512.New384, key: 32, mac: sha512.New384},
}

func findSuite(id uint16) *suite {
	for i := range suites {
		if slices.Contains(suites[i].ids, id) {
			return &suites[i]
		}
	}
	return nil
}

// epoch is the keys of one direction for a while.
type epoch struct {
	tls13 bool
	etm   bool
	early bool
	aead  cipher.AEAD
	iv    []byte
	block cipher.Block // CBC
	mac   hash.Hash
	next  func() *epoch // the keys after an update
}

// keysOf returns the epochs of direction d, in order; false when a secret is missing.
func (t *tlsStage) keysOf(d packet.Direction) ([]*epoch, bool) {
	if t.version == versionTLS12 {
		master := t.l.keys.find(labelMaster, t.random)
		if master == nil {
			return nil, false
		}
		e := t.keys12(d, master)
		return []*epoch{e}, e != nil
	}
	handshake, traffic := labelClientHandshake, labelClientTraffic
	if d == packet.ServerToClient {
		handshake, traffic = labelServerHandshake, labelServerTraffic
	}
	var epochs []*epoch
	if s := t.l.keys.find(labelEarly, t.random); s != nil && d == packet.ClientToServer {
		if e := t.suite.keys13(s); e != nil {
			e.early = true
			epochs = append(epochs, e)
		}
	}
	if s := t.l.keys.find(handshake, t.random); s != nil {
		epochs = append(epochs, t.suite.keys13(s))
	}
	s := t.l.keys.find(traffic, t.random)
	if s == nil {
		return nil, false
	}
	epochs = append(epochs, t.suite.keys13(s))
	for _, e := range epochs[:len(epochs)-1] {
		if e != nil {
			e.next = nil // these are not updated
		}
	}
	return epochs, !slices.Contains(epochs, nil)
}

// keys12 derives the keys of direction d (RFC 5246, section 6.3).
func (t *tlsStage) keys12(d packet.Direction, master []byte) *epoch {
	s := t.suite
	macSize := 0
	if s.mac != nil {
		macSize = s.mac().Size()
	}
	seed := append([]byte("key expansion"), t.server[:]...)
	block := prf12(s.hash, master, append(seed, t.random[:]...), 2*(macSize+s.key+s.iv))
	take := func(n int) []byte { // the client's part, or the server's
		own := block[:n]
		if d == packet.ServerToClient {
			own = block[n : 2*n]
		}
		block = block[2*n:]
		return own
	}
	mac, key, iv := take(macSize), take(s.key), take(s.iv)
	e := &epoch{iv: iv, etm: t.etm}
	var err error
	if s.aead != nil {
		e.aead, err = s.aead(key)
	} else {
		e.block, err = aes.NewCipher(key)
		e.mac = hmac.New(s.mac, mac)
	}
	if err != nil {
		return nil
	}
	return e
}

func prf12(h func() hash.Hash, secret, seed []byte, n int) []byte {
	m := hmac.New(h, secret)
	sum := func(parts ...[]byte) []byte {
		m.Reset()
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	var out []byte
	for a := sum(seed); len(out) < n; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:n]
}

// keys13 derives the keys from a traffic secret (RFC 8446, section 7.3); nil when the secret cannot be one.
func (s *suite) keys13(secret []byte) *epoch {
	if len(secret) != s.hash().Size() || s.iv != 12 {
		return nil
	}
	aead, err := s.aead(s.expand(secret, "key", s.key))
	if err != nil {
		return nil
	}
	return &epoch{tls13: true, aead: aead, iv: s.expand(secret, "iv", 12), next: func() *epoch {
		return s.keys13(s.expand(secret, "traffic upd", len(secret)))
	}}
}

// expand is HKDF-Expand-Label without context (RFC 8446, section 7.1).
func (s *suite) expand(secret []byte, label string, n int) []byte {
	var b cryptobyte.Builder
	b.AddUint16(uint16(n))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte("tls13 " + label)) })
	b.AddUint8(0)
	out, err := hkdf.Expand(s.hash, secret, string(b.BytesOrPanic()), n)
	if err != nil {
		panic(err) // n is one of a few small constants
	}
	return out
}

// open decrypts the record r, the seq-th of its epoch, appending to dst, and returns what it is.
func (e *epoch) open(dst []byte, seq uint64, r []byte) ([]byte, byte, bool) {
	switch {
	case e.block != nil:
		plain, ok := e.openCBC(dst, seq, r)
		return plain, r[0], ok
	case e.tls13:
		return e.open13(dst, seq, r)
	}
	body := r[5:]
	nonce := e.nonce(seq)
	if len(e.iv) == 4 { // GCM sends the rest of its nonce
		if len(body) < 8 {
			return dst, 0, false
		}
		nonce = append(append(nonce[:0], e.iv...), body[:8]...)
		body = body[8:]
	}
	if len(body) < e.aead.Overhead() {
		return dst, 0, false
	}
	plain, err := e.aead.Open(dst, nonce, body, recordAD(seq, r, len(body)-e.aead.Overhead()))
	return plain, r[0], err == nil
}

// nonce is the IV with the sequence number added.
func (e *epoch) nonce(seq uint64) []byte {
	n := make([]byte, 12)
	copy(n, e.iv)
	binary.BigEndian.PutUint64(n[4:], binary.BigEndian.Uint64(n[4:])^seq)
	return n
}

// recordAD is what a TLS 1.2 record is authenticated with besides its n bytes.
func recordAD(seq uint64, r []byte, n int) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 13), seq)
	return append(b, r[0], r[1], r[2], byte(n>>8), byte(n))
}

func (e *epoch) open13(dst []byte, seq uint64, r []byte) ([]byte, byte, bool) {
	if len(r) < 5+e.aead.Overhead() {
		return dst, 0, false
	}
	plain, err := e.aead.Open(dst, e.nonce(seq), r[5:], r[:5])
	if err != nil {
		return dst, 0, false
	}
	end := len(plain) // the type is the last byte that is not zero
	for end > 0 && plain[end-1] == 0 {
		end--
	}
	if end == 0 {
		return plain[:0], 0, true
	}
	return plain[:end-1], plain[end-1], true
}

// openCBC decrypts a record of AES-CBC with HMAC (RFC 5246, section 6.2.3.2).
func (e *epoch) openCBC(dst []byte, seq uint64, r []byte) ([]byte, bool) {
	body, size := r[5:], e.mac.Size()
	var tag []byte
	if e.etm {
		if len(body) < size {
			return dst, false
		}
		body, tag = body[:len(body)-size], body[len(body)-size:]
		if !e.checkMAC(tag, recordAD(seq, r, len(body)), body) {
			return dst, false
		}
	}
	if len(body) < 32 || len(body)%16 != 0 {
		return dst, false
	}
	plain := append(dst, body[16:]...)
	cipher.NewCBCDecrypter(e.block, body[:16]).CryptBlocks(plain, plain)
	pad := int(plain[len(plain)-1]) + 1
	if pad > len(plain) {
		return dst, false
	}
	plain = plain[:len(plain)-pad]
	if e.etm {
		return plain, true
	}
	if len(plain) < size {
		return dst, false
	}
	plain, tag = plain[:len(plain)-size], plain[len(plain)-size:]
	return plain, e.checkMAC(tag, recordAD(seq, r, len(plain)), plain)
}

func (e *epoch) checkMAC(tag, ad, b []byte) bool {
	e.mac.Reset()
	e.mac.Write(ad)
	e.mac.Write(b)
	return hmac.Equal(tag, e.mac.Sum(nil))
}
