package packet

// SniffVersion returns the protocol version that the CONNECT at the start of b names, without the mark of a bridge, as
// soon as its first bytes have arrived: 14 are always enough. The error is ErrTruncated when more are needed,
// ErrMalformed when b does not begin with a CONNECT, and ErrProtocol when it names a version this package does not know,
// which is then returned as it stands.
func SniffVersion(b []byte) (Version, error) {
	if len(b) > 0 && b[0]>>4 != byte(CONNECT) {
		return 0, ErrMalformed
	}
	h, err := ParseHeader(b)
	if err != nil {
		return 0, err
	}
	body := b[h.Size:]
	if len(body) < 2 {
		return 0, ErrTruncated
	}
	n := int(body[0])<<8 | int(body[1])
	// A longer name is no protocol of ours; waiting for it to arrive would let a stranger hold the reader up.
	if n != len("MQTT") && n != len("MQIsdp") {
		return 0, ErrMalformed
	}
	if len(body) < n+3 {
		return 0, ErrTruncated
	}
	name, level := string(body[2:2+n]), Version(body[2+n])
	if name != "MQTT" && name != "MQIsdp" {
		return 0, ErrMalformed
	}
	v := level
	if v != V5|0x80 {
		v &^= 0x80
	}
	if v < V31 || v > V5 || name != protocolName(v) {
		return level, ErrProtocol
	}
	return v, nil
}
