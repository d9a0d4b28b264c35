package packet

// Pingreq asks the server whether it is there (section 3.12).
type Pingreq struct{}

// Type returns PINGREQ.
func (p *Pingreq) Type() Type { return PINGREQ }

// Decode reads the PINGREQ at the start of b and returns its length, 2 bytes in its shortest spelling.
func (p *Pingreq) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(PINGREQ) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(&rulePingreqLength)
}

func (p *Pingreq) decode(*reader) {}

// Append appends the PINGREQ to b.
func (p *Pingreq) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, PINGREQ, 0)
	w.patch(0)
	return w.result(nil)
}
