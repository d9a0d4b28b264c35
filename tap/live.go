package tap

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// LiveOptions says what to watch.
type LiveOptions struct {
	// Interface is the network interface's name, "" or "any" for all of them.
	Interface string
	// Ports are the TCP ports to watch; none means every port. They count as ports where MQTT is expected.
	Ports []uint16
	// Read is as for a capture; its Ports are added to by those above, and Progress is not used.
	Read ReadOptions
	// Ready, if not nil, is called when watching has begun.
	Ready func()
}

// maxFilterPorts is how many ports fit a filter: jumps in BPF reach 255 instructions.
const maxFilterPorts = 60

// liveSnap is how many bytes of a frame are captured: all of them.
const liveSnap = 262144

// portFilter returns a kernel filter that passes IP packets with TCP segments from or to the ports, beginning at the IP
// header. Fragments, and IPv6 with extension headers, pass whatever their ports: they cannot be judged there.
func portFilter(ports []uint16) ([]bpf.RawInstruction, error) {
	if len(ports) > maxFilterPorts {
		return nil, &Error{What: fmt.Sprintf("%d ports are too many for a filter", len(ports)),
			hints: []string{fmt.Sprintf("give up to %d, or none to watch every port", maxFilterPorts)}}
	}
	var p filter
	p.add(bpf.LoadAbsolute{Off: 0, Size: 1})
	p.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0})
	p.jump(0x60, "v6")

	p.add(bpf.LoadAbsolute{Off: 9, Size: 1})
	p.jump(6, "tcp4")
	p.jumpAlways("reject")
	p.label("tcp4")
	p.add(bpf.LoadAbsolute{Off: 6, Size: 2})
	p.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x1fff})
	p.jump(0, "whole")
	p.jumpAlways("accept")
	p.label("whole")
	p.add(bpf.LoadMemShift{Off: 0})
	p.jumpAlways("ports")

	p.label("v6")
	p.add(bpf.LoadAbsolute{Off: 6, Size: 1})
	for _, extension := range []uint32{0, 43, 44, 51, 60} {
		p.jump(extension, "accept")
	}
	p.jump(6, "tcp6")
	p.jumpAlways("reject")
	p.label("tcp6")
	p.add(bpf.LoadConstant{Dst: bpf.RegX, Val: 40})

	p.label("ports")
	for _, off := range []uint32{0, 2} {
		p.add(bpf.LoadIndirect{Off: off, Size: 2})
		for _, port := range ports {
			p.jump(uint32(port), "accept")
		}
	}
	if len(ports) > 0 {
		p.label("reject")
		p.add(bpf.RetConstant{Val: 0})
	}
	p.label("accept")
	p.add(bpf.RetConstant{Val: liveSnap})
	if len(ports) == 0 {
		p.label("reject")
		p.add(bpf.RetConstant{Val: 0})
	}
	return p.assemble()
}

// filter is a BPF program with named places to jump to.
type filter struct {
	code   []bpf.Instruction
	target []string // of each instruction, "" for none
	labels map[string]int
}

func (p *filter) add(i bpf.Instruction) {
	p.code, p.target = append(p.code, i), append(p.target, "")
}

func (p *filter) label(name string) {
	if p.labels == nil {
		p.labels = map[string]int{}
	}
	p.labels[name] = len(p.code)
}

// jump goes to a label when the accumulator is val.
func (p *filter) jump(val uint32, to string) {
	p.add(bpf.JumpIf{Cond: bpf.JumpEqual, Val: val})
	p.target[len(p.target)-1] = to
}

func (p *filter) jumpAlways(to string) {
	p.add(bpf.Jump{})
	p.target[len(p.target)-1] = to
}

func (p *filter) assemble() ([]bpf.RawInstruction, error) {
	for i, to := range p.target {
		skip := p.labels[to] - i - 1
		switch j := p.code[i].(type) {
		case bpf.JumpIf:
			j.SkipTrue = uint8(skip) // maxFilterPorts keeps it in range
			p.code[i] = j
		case bpf.Jump:
			j.Skip = uint32(skip)
			p.code[i] = j
		}
	}
	return bpf.Assemble(p.code)
}
