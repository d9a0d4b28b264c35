package tap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Link types (https://www.tcpdump.org/linktypes.html). 12 and 14 are what raw IP is called in files of some systems.
const (
	linkNull     = 0
	linkEthernet = 1
	linkRawBSD   = 12
	linkRawOpen  = 14
	linkRaw      = 101
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

func knownLink(t int) bool {
	switch t {
	case linkNull, linkEthernet, linkRawBSD, linkRawOpen, linkRaw, linkLoop, linkSLL, linkIPv4, linkIPv6, linkSLL2:
		return true
	}
	return false
}

func unknownLink(t int) error {
	return fmt.Errorf("link type %d is not known, only Ethernet, Linux cooked, raw IP and BSD loopback are", t)
}

// flowKey names a TCP connection whichever way a segment goes: the lesser end first. IPv4 addresses are mapped.
type flowKey struct {
	addr [2][16]byte
	port [2]uint16
}

func (k *flowKey) end(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(k.addr[i]).Unmap(), k.port[i])
}

// The flags of a TCP header that matter.
const (
	tcpFIN = 1
	tcpSYN = 2
	tcpRST = 4
	tcpACK = 16
)

// segment is one TCP segment.
type segment struct {
	key      flowKey
	from     int // which end of key sent it
	seq, ack uint32
	flags    byte
	payload  []byte
	cut      int // bytes of the payload that were not captured
}

// outcome says what a frame turned out to be.
type outcome byte

const (
	isTCP outcome = iota
	isOther
	isFragment // of an IP datagram
	isCutShort // in the headers, by the snap length
)

// parseFrame takes the headers off a frame.
func parseFrame(linkType int, b []byte, s *segment) outcome {
	switch linkType {
	case linkEthernet:
		if len(b) < 14 {
			return isCutShort
		}
		return parseEtherType(binary.BigEndian.Uint16(b[12:]), b[14:], s)
	case linkNull, linkLoop:
		// The four bytes tell the family in numbers that differ between systems; the IP version says it too.
		if len(b) < 4 {
			return isCutShort
		}
		return parseIP(b[4:], s)
	case linkSLL:
		if len(b) < 16 {
			return isCutShort
		}
		return parseEtherType(binary.BigEndian.Uint16(b[14:]), b[16:], s)
	case linkSLL2:
		if len(b) < 20 {
			return isCutShort
		}
		return parseEtherType(binary.BigEndian.Uint16(b), b[20:], s)
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		return parseIP(b, s)
	}
	return isOther
}

func parseEtherType(t uint16, b []byte, s *segment) outcome {
	for range 4 { // VLAN tags may be nested; no network nests them deeper
		switch t {
		case 0x0800, 0x86dd:
			return parseIP(b, s)
		case 0x8100, 0x88a8, 0x9100:
			if len(b) < 4 {
				return isCutShort
			}
			t, b = binary.BigEndian.Uint16(b[2:]), b[4:]
		default:
			return isOther
		}
	}
	return isOther
}

func parseIP(b []byte, s *segment) outcome {
	if len(b) == 0 {
		return isCutShort
	}
	switch b[0] >> 4 {
	case 4:
		return parseIPv4(b, s)
	case 6:
		return parseIPv6(b, s)
	}
	return isOther
}

var mapped = [12]byte{10: 0xff, 11: 0xff}

func parseIPv4(b []byte, s *segment) outcome {
	if len(b) < 20 {
		return isCutShort
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		total = len(b) // the network card was to fill it in
	}
	switch {
	case b[9] != 6 || header < 20 || total < header:
		return isOther
	case binary.BigEndian.Uint16(b[6:])&0x3fff != 0:
		return isFragment
	case len(b) < header:
		return isCutShort
	}
	var src, dst [16]byte
	copy(src[:12], mapped[:])
	copy(dst[:12], mapped[:])
	copy(src[12:], b[12:16])
	copy(dst[12:], b[16:20])
	return parseTCP(b[header:min(total, len(b))], total-header, &src, &dst, s)
}

func parseIPv6(b []byte, s *segment) outcome {
	if len(b) < 40 {
		return isCutShort
	}
	total := int(binary.BigEndian.Uint16(b[4:]))
	src, dst := (*[16]byte)(b[8:24]), (*[16]byte)(b[24:40])
	next := b[6]
	b = b[40:]
	if total == 0 {
		total = len(b) // a jumbogram, or the network card was to fill it in
	}
	b = b[:min(total, len(b))]
	for range 8 { // no more extension headers than a sane sender writes
		var size int
		switch next {
		case 6:
			return parseTCP(b, total, src, dst, s)
		case 0, 43, 60, 135: // hop-by-hop, routing, destination options, mobility
			if len(b) < 2 {
				return isCutShort
			}
			size = 8 + 8*int(b[1])
		case 51: // authentication
			if len(b) < 2 {
				return isCutShort
			}
			size = 8 + 4*int(b[1])
		case 44:
			if len(b) < 4 {
				return isCutShort
			}
			if binary.BigEndian.Uint16(b[2:])&0xfff9 != 0 {
				return isFragment
			}
			size = 8
		default:
			return isOther
		}
		if len(b) < size {
			return isCutShort
		}
		next, b, total = b[0], b[size:], total-size
	}
	return isOther
}

// parseTCP reads the segment of size bytes of which b was captured.
func parseTCP(b []byte, size int, src, dst *[16]byte, s *segment) outcome {
	if len(b) < 20 {
		return isCutShort
	}
	header := int(b[12]>>4) * 4
	if header < 20 || header > size {
		return isOther
	}
	if header > len(b) {
		s.payload, s.cut = nil, size-header
	} else {
		s.payload, s.cut = b[header:], size-len(b)
	}
	sport, dport := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	s.seq, s.ack, s.flags = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), b[13]
	s.from = 0
	if c := bytes.Compare(src[:], dst[:]); c > 0 || c == 0 && sport > dport {
		s.from = 1
	}
	s.key.addr[s.from], s.key.port[s.from] = *src, sport
	s.key.addr[1-s.from], s.key.port[1-s.from] = *dst, dport
	return isTCP
}
