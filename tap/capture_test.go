package tap

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

// TestCaptures compares every capture with what an independent decoder found in it.
func TestCaptures(t *testing.T) {
	refs, err := filepath.Glob(filepath.Join(captures, "*.ref.jsonl"))
	if err != nil || len(refs) < 20 {
		t.Fatalf("%d reference files: %v", len(refs), err)
	}
	for _, ref := range refs {
		base := strings.TrimSuffix(ref, ".ref.jsonl")
		files, _ := filepath.Glob(base + ".pcap*")
		if len(files) == 0 {
			t.Errorf("no capture for %s", ref)
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				want := readRef(t, ref)
				r := readFile(t, filepath.Base(file), ReadOptions{KeyLog: keyLogBeside(t, base)})
				compareRef(t, want, r)
				if l := r.trouble(); len(l) > 0 {
					t.Errorf("a clean capture gave\n%s", strings.Join(l, "\n"))
				}
			})
		}
	}
}

func keyLogBeside(t *testing.T, base string) *KeyLog {
	f, err := os.Open(base + ".keylog")
	if err != nil {
		return nil
	}
	defer f.Close()
	k, err := ReadKeyLog(f)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func readRef(t *testing.T, name string) []map[string]any {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []map[string]any
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		m := map[string]any{}
		if err := json.Unmarshal(s.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, m)
	}
	if len(rows) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return rows
}

type place struct {
	conn int
	dir  string
	off  int64
}

func compareRef(t *testing.T, want []map[string]any, r *record) {
	t.Helper()
	if len(want) != len(r.packets) {
		t.Errorf("%d packets, want %d", len(r.packets), len(want))
	}
	conns := matchConns(t, want, r.conns)
	versions := map[*Conn]packet.Version{}
	all := map[place]map[string]any{}
	for _, g := range r.packets {
		if v, err := packet.SniffVersion(g.raw); err == nil {
			versions[g.conn] = v
		}
		all[place{g.conn.Number, g.dir.String(), g.off}] = asRef(t, g, versions[g.conn])
	}
	for _, w := range want {
		c := conns[w["stream"].(float64)]
		if c == nil {
			t.Fatalf("no connection for stream %v", w["stream"])
		}
		have := all[place{c.Number, w["dir"].(string), int64(w["off"].(float64))}]
		if have == nil {
			t.Errorf("missing: %v", w)
			continue
		}
		if _, ok := w["props"]; !ok && have["props"] != nil && len(have["props"].([]any)) == 0 {
			delete(have, "props")
		}
		for k := range have {
			if _, ok := w[k]; !ok && k != "props" {
				delete(have, k)
			}
		}
		for _, k := range []string{"stream", "cport", "frame", "time"} {
			if w[k] == nil || k == "stream" {
				delete(w, k)
				delete(have, k)
			}
		}
		if d := cmp.Diff(w, have, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 2e-6 })); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	}
}

// matchConns finds for each stream of the reference our connection: by the client's port, else by order.
func matchConns(t *testing.T, want []map[string]any, conns []*Conn) map[float64]*Conn {
	m := map[float64]*Conn{}
	var order []float64
	for _, w := range want {
		stream := w["stream"].(float64)
		if !slices.Contains(order, stream) {
			order = append(order, stream)
		}
		for _, c := range conns {
			if p, ok := w["cport"].(float64); ok && c.Client.Port() == uint16(p) {
				m[stream] = c
			}
		}
	}
	if len(order) != len(conns) {
		t.Errorf("%d connections, want %d", len(conns), len(order))
	}
	slices.Sort(order)
	for i, s := range order {
		if m[s] == nil && i < len(conns) {
			m[s] = conns[i]
		}
	}
	return m
}

// asRef describes a packet in the reference's words.
func asRef(t *testing.T, g got, v packet.Version) map[string]any {
	p, n, err := packet.Decode(g.raw, v)
	if err != nil || n != len(g.raw) {
		t.Errorf("%v at %d: %v", g.dir, g.off, err)
		return map[string]any{}
	}
	m := map[string]any{"frame": float64(g.frame), "time": float64(g.at.UnixNano()) / 1e9, "cport": float64(g.conn.Client.Port()),
		"dir": g.dir.String(), "off": float64(g.off), "len": float64(len(g.raw)), "type": p.Type().String(), "flags": float64(g.raw[0] & 15)}
	ack := func(id uint16, c packet.ReasonCode, props packet.Properties) {
		m["mid"], m["reason"], m["props"] = float64(id), float64(c), refProps(props)
	}
	switch p := p.(type) {
	case *packet.Connect:
		refConnect(m, p, g.raw)
	case *packet.Connack:
		m["session_present"], m["ack_flags"], m["reason"], m["props"] = p.SessionPresent, float64(g.raw[2]), float64(g.raw[3]), refProps(p.Properties)
	case *packet.Publish:
		m["dup"], m["qos"], m["retain"], m["topic"], m["mid"] = p.Dup, float64(p.QoS), p.Retain, string(p.Topic), float64(p.PacketID)
		m["payload_len"], m["payload_hex"], m["props"] = float64(len(p.Payload)), hex.EncodeToString(p.Payload), refProps(p.Properties)
	case *packet.Puback:
		ack(p.PacketID, p.ReasonCode, p.Properties)
	case *packet.Pubrec:
		ack(p.PacketID, p.ReasonCode, p.Properties)
	case *packet.Pubrel:
		ack(p.PacketID, p.ReasonCode, p.Properties)
	case *packet.Pubcomp:
		ack(p.PacketID, p.ReasonCode, p.Properties)
	case *packet.Subscribe:
		var filters []any
		for _, s := range p.Subscriptions {
			options := float64(s.QoS) + float64(s.RetainHandling)*16
			if s.NoLocal {
				options += 4
			}
			if s.RetainAsPublished {
				options += 8
			}
			filters = append(filters, []any{s.Filter, options})
		}
		m["mid"], m["filters"], m["props"] = float64(p.PacketID), filters, refProps(p.Properties)
	case *packet.Suback:
		m["mid"], m["reasons"], m["props"] = float64(p.PacketID), refCodes(p.Codes), refProps(p.Properties)
	case *packet.Unsubscribe:
		var filters []any
		for _, f := range p.Filters {
			filters = append(filters, f)
		}
		m["mid"], m["filters"], m["props"] = float64(p.PacketID), filters, refProps(p.Properties)
	case *packet.Unsuback:
		m["mid"], m["reasons"], m["props"] = float64(p.PacketID), refCodes(p.Codes), refProps(p.Properties)
	case *packet.Disconnect:
		m["reason"], m["props"] = float64(p.ReasonCode), refProps(p.Properties)
	}
	return m
}

func refConnect(m map[string]any, p *packet.Connect, raw []byte) {
	name := raw[4 : 4+int(raw[3])]
	m["protocol"], m["level"], m["connect_flags"] = string(name), float64(raw[4+len(name)]), float64(raw[5+len(name)])
	m["version"], m["clean"], m["keepalive"], m["client_id"] = float64(p.Version), p.CleanStart, float64(p.KeepAlive), p.ClientID
	m["user"], m["password_len"], m["props"] = p.UserName, float64(len(p.Password)), refProps(p.Properties)
	if w := p.Will; w != nil {
		m["will"] = map[string]any{"qos": float64(w.QoS), "retain": w.Retain, "topic": w.Topic,
			"payload_len": float64(len(w.Payload)), "payload_hex": hex.EncodeToString(w.Payload)}
	}
}

func refCodes(codes []packet.ReasonCode) any {
	l := []any{}
	for _, c := range codes {
		l = append(l, float64(c))
	}
	return l
}

func refProps(p packet.Properties) []any {
	l := []any{}
	for q := range p.All() {
		info, _ := q.ID.Info()
		var v any
		switch info.Type {
		case packet.PropPair:
			v = []any{string(q.Bytes), string(q.Value)}
		case packet.PropString:
			v = string(q.Bytes)
		case packet.PropBinary:
			v = hex.EncodeToString(q.Bytes)
		default:
			v = float64(q.Uint)
		}
		l = append(l, []any{q.ID.Word(), v})
	}
	return l
}
