package commands

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"mq/broker"
	"mq/connect"
	"mq/format"
	"mq/packet"
)

func demoCommand(env *Env) *command {
	var color string
	return &command{
		name: "demo", local: true, usage: "see MQTT at work: a heater reports its temperature",
		args: "[options]",
		about: "Starts a broker on a free port of this machine, subscribes to home/#, publishes a heater's temperature at QoS 0, 1 " +
			"and 2, and shows every packet. Nothing outside this machine is touched, and nothing stays behind.",
		example: []example{{"mq demo", "takes less than a second"}},
		options: []*option{{group: groupGeneral, name: "color", arg: "WHEN", usage: "auto, always or never (default auto; NO_COLOR is heeded)", set: setString(&color)}},
		run:     func(ctx context.Context) error { return runDemo(ctx, env, color) },
	}
}

// demo is one run of `mq demo`.
type demo struct {
	env      *Env
	view     *packetView
	heater   connect.Session
	messages chan string
	packets  demoLog
}

// demoLog gathers the packet lines of both clients, in the order in which they happened, until they are shown.
type demoLog struct {
	mu   sync.Mutex
	cond *sync.Cond
	buf  bytes.Buffer
	seen map[string]int // by client, direction and packet type
}

// Write gathers what the view shows.
func (l *demoLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *demoLog) note(client string, d packet.Direction, t packet.Type) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[fmt.Sprint(client, d, t)]++
	l.cond.Broadcast()
}

// await waits until the client's n-th packet of a type has passed.
func (l *demoLog) await(ctx context.Context, client string, d packet.Direction, t packet.Type, n int) error {
	stop := context.AfterFunc(ctx, func() { l.mu.Lock(); defer l.mu.Unlock(); l.cond.Broadcast() })
	defer stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.seen[fmt.Sprint(client, d, t)] < n {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.cond.Wait()
	}
	return nil
}

// take returns the lines gathered so far.
func (l *demoLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.buf.Reset()
	return l.buf.String()
}

// demoSteps are the messages of the demo, and what a newcomer should know about them.
var demoSteps = []struct {
	qos     packet.QoS
	payload string
	about   string
}{
	{0, "21.0", "QoS 0, at most once: PUBLISH alone. Quick, and lost if the network is."},
	{1, "21.5", "QoS 1, at least once: PUBLISH is repeated until PUBACK comes. May arrive twice."},
	{2, "22.0", "QoS 2, exactly once: PUBLISH, PUBREC, PUBREL, PUBCOMP."},
}

func runDemo(ctx context.Context, env *Env, color string) error {
	mode, err := colorMode(color)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s, err := broker.Start(broker.Options{Listeners: []broker.Listener{{Network: "tcp", Address: "127.0.0.1:0"}}})
	if err != nil {
		return err
	}
	defer s.Close()
	d := &demo{env: env, messages: make(chan string, len(demoSteps))}
	d.packets.cond, d.packets.seen = sync.NewCond(&d.packets.mu), make(map[string]int)
	width, _ := env.TermSize()
	if !env.StdoutTTY {
		width = 0
	}
	d.view = newPacketView(&d.packets, format.FlowOptions{Width: width, Start: env.Now(),
		Palette: format.NewPalette(format.UseColor(mode, env.StdoutTTY, env.Getenv))}, env.Now)
	d.view.seen = d.packets.note
	return d.run(ctx, s.Addr("tcp"))
}

func (d *demo) run(ctx context.Context, addr string) error {
	if err := d.say("A broker listens on mqtt://%s for this demo; `mq broker` starts one that stays.\n", addr); err != nil {
		return err
	}
	screen, err := d.open(ctx, addr, "screen", func(m *packet.Message) bool {
		d.messages <- fmt.Sprintf("%s %s", m.Topic, m.Payload)
		return true
	})
	if err != nil {
		return err
	}
	defer screen.Close()
	if _, err := screen.Subscribe(ctx, []connect.Subscription{{Filter: "home/#", QoS: 2}}); err != nil {
		return err
	}
	if err := d.show("A screen connects and subscribes, as `mq sub -t 'home/#' -q 2 -v` does:", ""); err != nil {
		return err
	}
	if d.heater, err = d.open(ctx, addr, "heater", nil); err != nil {
		return err
	}
	defer d.heater.Close()
	if err := d.show("A heater connects:", ""); err != nil {
		return err
	}
	for _, step := range demoSteps {
		if err := d.step(ctx, step.qos, step.payload, step.about); err != nil {
			return err
		}
	}
	if err := d.heater.Close(); err != nil {
		return err
	}
	if err := d.show("The heater says goodbye:", ""); err != nil {
		return err
	}
	return d.say("Now try it yourself, in two terminals: `mq broker`, then\n  mq sub -t 'home/#' -v &\n  mq pub -t home/heater -q 2 -m 21.5\n")
}

func (d *demo) open(ctx context.Context, addr, name string, onMessage func(*packet.Message) bool) (connect.Session, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	return connect.Open(ctx, connect.Options{Host: host, Port: n, ClientID: name, KeepAlive: connect.DefaultKeepAlive, OnMessage: onMessage,
		Tap: d.view.connection(name, "broker")})
}

// step publishes one message and shows its way to the screen.
func (d *demo) step(ctx context.Context, qos packet.QoS, payload, about string) error {
	m := packet.Message{Topic: "home/heater", Payload: []byte(payload), QoS: qos}
	if err := d.heater.Publish(ctx, &m, nil); err != nil {
		return err
	}
	if err := d.heater.Drain(ctx); err != nil {
		return err
	}
	var received string
	select {
	case received = <-d.messages:
	case <-ctx.Done():
		return ctx.Err()
	}
	last := map[packet.QoS]packet.Type{1: packet.PUBACK, 2: packet.PUBCOMP}
	if t, ok := last[qos]; ok {
		if err := d.packets.await(ctx, "screen", packet.ClientToServer, t, 1); err != nil {
			return err
		}
	}
	title := fmt.Sprintf("%s\nThe heater runs `mq pub -t home/heater -q %s -m %s`:", about, qos, payload)
	return d.show(title, "The screen prints: "+received)
}

// show prints a title, the packets since the last one, and a result.
func (d *demo) show(title, result string) error {
	text := title + "\n" + d.packets.take()
	if result != "" {
		text += result + "\n"
	}
	return d.say("%s", text)
}

func (d *demo) say(s string, a ...any) error {
	_, err := io.WriteString(d.env.Stdout, strings.TrimRight(fmt.Sprintf(s, a...), "\n")+"\n\n")
	return err
}
