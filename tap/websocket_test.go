package tap

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mq/packet"
)

// wsFrame returns a frame; those of clients are masked.
func wsFrame(first byte, payload string, client bool) string {
	b := []byte{first}
	mask := byte(0)
	if client {
		mask = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n)|mask)
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126|mask), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127|mask), uint64(n))
	}
	if !client {
		return string(b) + payload
	}
	key := [4]byte{1, 2, 3, 4}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i&3])
	}
	return string(b)
}

const wsRequest = "GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"

func wsAnswer(more string) string {
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + more + "\r\n"
}

func TestWebSocket(t *testing.T) {
	hello := wire(t, packet.V311, &packet.Connect{CleanStart: true, ClientID: "c"})
	big := wire(t, packet.V311, &packet.Publish{Topic: []byte("t"), Payload: make([]byte, 70_000)})
	mqtt := wsAnswer("Sec-WebSocket-Protocol: mqtt\r\n")
	all := []string{"#1 open ws", fmt.Sprintf("#1 c2s CONNECT @0+%d", len(hello)), fmt.Sprintf("#1 c2s PINGREQ @%d+2", len(hello)),
		fmt.Sprintf("#1 c2s PINGREQ @%d+2", len(hello)+2)}
	end := "#1 close end of capture"
	tests := []struct {
		name, request, answer string
		client                []string // frames
		server                string
		want                  []string
	}{
		{"several packets in a frame", wsRequest, mqtt, []string{wsFrame(0x82, hello+"\xc0\x00\xc0\x00", true)}, "", append(slices.Clone(all), end)},
		{"packet over several frames", wsRequest, mqtt, []string{wsFrame(0x82, hello[:3], true), wsFrame(0x82, hello[3:]+"\xc0", true), wsFrame(0x82, "\x00\xc0\x00", true)}, "", append(slices.Clone(all), end)},
		{"fragments with a ping between", wsRequest, mqtt, []string{wsFrame(2, hello[:5], true), wsFrame(0x89, "ping", true), wsFrame(0, hello[5:], true), wsFrame(0x80, "\xc0\x00\xc0\x00", true)}, "", append(slices.Clone(all), end)},
		{"long frame", wsRequest, mqtt, []string{wsFrame(0x82, hello, true)}, wsFrame(0x82, big, false),
			[]string{all[0], all[1], fmt.Sprintf("#1 s2c PUBLISH @0+%d", len(big)), end}},
		{"no subprotocol", strings.Replace(wsRequest, "Sec-WebSocket-Protocol: mqtt\r\n", "", 1), wsAnswer(""), []string{wsFrame(0x82, hello+"\xc0\x00\xc0\x00", true)}, "", append(slices.Clone(all), end)},
		{"no subprotocol, no MQTT", strings.Replace(wsRequest, "Sec-WebSocket-Protocol: mqtt\r\n", "", 1), wsAnswer(""), []string{wsFrame(0x82, "{\"chat\":1}", true)}, "", nil},
		{"text", wsRequest, mqtt, []string{wsFrame(0x81, hello, true)}, "",
			[]string{all[0], "#1 note the client sends WebSocket text frames, MQTT uses binary frames [MQTT-6.0.0-1]", all[1], end}},
		{"compressed", wsRequest, wsAnswer("Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"), []string{wsFrame(0xc2, hello, true), wsFrame(0xc2, "x", true)}, "",
			[]string{all[0], "#1 note the WebSocket messages are compressed (permessage-deflate), which is not decoded", end}},
		{"closed for a reason", wsRequest, mqtt, []string{wsFrame(0x82, hello, true)}, wsFrame(0x88, "\x03\xeatoo bad", false),
			[]string{all[0], all[1], "#1 note the server closes the WebSocket with code 1002 too bad", end}},
		{"refused", wsRequest, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", nil, "", []string{all[0], "#1 note the server refused the WebSocket: 404 Not Found", end}},
		{"plain HTTP", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", nil, "", nil},
	}
	for _, tt := range tests {
		for _, size := range []int{1, 1400} {
			t.Run(fmt.Sprintf("%s in %d", tt.name, size), func(t *testing.T) {
				w := wiretap{writes: []tcp{{payload: tt.request}, {server: true, payload: tt.answer},
					{payload: strings.Join(tt.client, "")}, {server: true, payload: tt.server}}}
				r := readSegments(t, ReadOptions{}, w.segments(8080, size)...)
				if !slices.Equal(r.log, tt.want) {
					t.Errorf("got %q\nwant %q", r.log, tt.want)
				}
			})
		}
	}
}

// TestWebSocketLoss loses a frame, then joins in the middle.
func TestWebSocketLoss(t *testing.T) {
	hello := wire(t, packet.V311, &packet.Connect{CleanStart: true, ClientID: "c"})
	ping := wsFrame(0x82, "\xc0\x00", true)
	w := wiretap{writes: []tcp{{payload: wsRequest}, {server: true, payload: wsAnswer("Sec-WebSocket-Protocol: mqtt\r\n")},
		{payload: wsFrame(0x82, hello, true)}, {payload: ping}, {payload: ping}, {payload: ping}}}
	s := w.segments(8080, 1400)
	r := readSegments(t, ReadOptions{}, slices.Delete(slices.Clone(s), len(s)-2, len(s)-1)...)
	if len(r.packets) != 3 || len(r.trouble()) != 1 || !strings.Contains(r.trouble()[0], "gap 8") {
		t.Errorf("%q", r.log)
	}
	r = readSegments(t, ReadOptions{}, s[len(s)-3:]...)
	if len(r.packets) != 3 || r.conns[0].Layer != LayerWS {
		t.Errorf("%q", r.log)
	}
}
