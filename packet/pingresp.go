package packet

// Pingresp answers PINGREQ (section 3.13).
type Pingresp struct{}

// Type returns PINGRESP.
func (p *Pingresp) Type() Type { return PINGRESP }

// Decode reads the PINGRESP at the start of b and returns its length, 2 bytes in its shortest spelling.
func (p *Pingresp) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(PINGRESP) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(&rulePingrespLength)
}

func (p *Pingresp) decode(*reader) {}

// Append appends the PINGRESP to b.
func (p *Pingresp) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, PINGRESP, 0)
	w.patch(0)
	return w.result(nil)
}
