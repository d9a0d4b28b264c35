package tap

import (
	"testing"

	"golang.org/x/net/bpf"
)

// ipPacket returns the frame of s from the IP header on.
func ipPacket(s tcp) []byte { return appendFrame(nil, 0, s)[16+14:] }

func TestPortFilter(t *testing.T) {
	other := ipPacket(tcp{payload: "x"})
	other[9] = 17
	fragment := ipPacket(tcp{port: 99})
	fragment[7] = 1
	v6 := append(make([]byte, 40), ipPacket(tcp{})[20:]...)
	v6[0], v6[6] = 0x60, 6
	udp6 := append([]byte(nil), v6...)
	udp6[6] = 17
	extended := append([]byte(nil), v6...)
	extended[6] = 60
	many := make([]uint16, maxFilterPorts)
	for i := range many {
		many[i] = uint16(2000 + i)
	}
	tests := []struct {
		name  string
		ports []uint16
		b     []byte
		pass  bool
	}{
		{"to the port", []uint16{1883}, ipPacket(tcp{}), true},
		{"from the port", []uint16{1883}, ipPacket(tcp{server: true}), true},
		{"second port", []uint16{80, 1883}, ipPacket(tcp{}), true},
		{"other port", []uint16{80, 81}, ipPacket(tcp{}), false},
		{"any port", nil, ipPacket(tcp{}), true},
		{"no TCP", nil, other, false},
		{"no TCP, with ports", []uint16{1883}, other, false},
		{"later fragment", []uint16{1883}, fragment, true},
		{"IPv6", []uint16{1883}, v6, true},
		{"IPv6, other port", []uint16{80}, v6, false},
		{"IPv6, any port", nil, v6, true},
		{"IPv6 UDP", []uint16{1883}, udp6, false},
		{"IPv6 UDP, any port", nil, udp6, false},
		{"IPv6 with extension header", []uint16{80}, extended, true},
		{"most ports, first", many, ipPacket(tcp{port: many[0]}), true},
		{"most ports, last", many, ipPacket(tcp{port: many[len(many)-1], server: true}), true},
		{"most ports, other", many, ipPacket(tcp{}), false},
	}
	for _, tt := range tests {
		code, err := portFilter(tt.ports)
		if err != nil {
			t.Fatal(err)
		}
		program, ok := bpf.Disassemble(code)
		if !ok {
			t.Fatal("cannot be disassembled")
		}
		vm, err := bpf.NewVM(program)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if n, err := vm.Run(tt.b); err != nil || (n > 0) != tt.pass {
			t.Errorf("%s: %d, %v", tt.name, n, err)
		}
	}
	if _, err := portFilter(make([]uint16, maxFilterPorts+1)); err == nil {
		t.Error("too many ports were accepted")
	}
}
