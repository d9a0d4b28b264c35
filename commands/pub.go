package commands

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"mq/connect"
	"mq/format"
	"mq/packet"
)

// pubOptions is what `mq pub` was asked to do.
type pubOptions struct {
	conn     connFlags
	talk     talkFlags
	topic    string
	qos      int
	retain   bool
	messages []string
	file     string
	lines    bool
	records  bool
	null     bool
	stdin    bool
	repeat   int
	delay    time.Duration
	rate     float64

	topicOption *option
}

func pubCommand(env *Env) *command {
	o := &pubOptions{repeat: 1}
	cmd := &command{
		name: "pub", usage: "publish messages",
		args: "-t TOPIC (-m TEXT | -f FILE | -l | -0 | -s | -n) [options]",
		about: "Publishes to one topic. Exit status 0 means that the broker has acknowledged every message of QoS 1 and 2; " +
			"otherwise their number is on standard error.\n\nThe options are those of mosquitto_pub, and more.",
		example: []example{
			{"mq pub -t home/heater -q 2 -m 21.5", "one message, delivered exactly once"},
			{"sensor | mq pub -t home/heater -q 1 -l", "each line of the sensor's output as it comes"},
			{"mq pub -t home/heater -r -n", "clear the retained message"},
			{"mq pub -L mqtts://heater@example.com/home/heater --ask-password -f now.json", "a file, over TLS"},
		},
	}
	const g = groupMessage
	sources := []string{"message", "file", "stdin-line", "null-records", "null-message", "stdin-file"}
	cmd.options = append([]*option{
		{group: g, name: "topic", short: "t", arg: "TOPIC", usage: "topic to publish to", set: setString(&o.topic)},
		{group: g, name: "message", short: "m", arg: "TEXT", usage: "publish TEXT; may be repeated", set: addString(&o.messages), rivals: sources},
		{group: g, name: "file", short: "f", arg: "FILE", usage: "publish the contents of FILE", set: setString(&o.file), rivals: sources},
		{group: g, name: "stdin-line", short: "l", usage: "publish each line of standard input, without its line end", set: setBool(&o.lines), rivals: sources},
		{group: g, name: "null-records", short: "0", usage: "publish each record of standard input that ends with a NUL byte, as find -print0 writes them", set: setBool(&o.records), rivals: sources},
		{group: g, name: "null-message", short: "n", usage: "publish an empty message", set: setBool(&o.null), rivals: sources},
		{group: g, name: "stdin-file", short: "s", usage: "publish all of standard input as one message", set: setBool(&o.stdin), rivals: sources},
		{group: g, name: "qos", short: "q", arg: "QOS", usage: "quality of service: 0 at most once, 1 at least once, 2 exactly once (default 0); exactly once across a broken connection needs -c and --id, so that the broker keeps the session", set: setInt(&o.qos, 0, 2)},
		{group: g, name: "retain", short: "r", usage: "ask the broker to keep the message for later subscribers", set: setBool(&o.retain)},
		{group: g, name: "repeat", arg: "N", usage: "publish everything N times", set: setInt(&o.repeat, 1, math.MaxInt)},
		{group: g, name: "repeat-delay", arg: "TIME", usage: "wait between repetitions, counted from the delivery of the one before", set: setDuration(&o.delay, 0)},
		{group: g, name: "rate", arg: "N", usage: "publish at most N messages a second", set: setFloat(&o.rate, 0.001, math.Inf(1))},
	}, connOptions(&o.conn)...)
	cmd.options = append(cmd.options, talkOptions(&o.talk)...)
	o.topicOption = cmd.option("topic")
	cmd.run = func(ctx context.Context) error { return runPub(ctx, env, o) }
	return cmd
}

// validate applies the rules that need no network, and reports the source of the messages.
func (o *pubOptions) validate(env *Env, urlTopic string) error {
	sources := 0
	for _, given := range []bool{len(o.messages) > 0, o.file != "", o.lines, o.records, o.null, o.stdin} {
		if given {
			sources++
		}
	}
	if o.topic == "" {
		o.topic = urlTopic
	}
	switch {
	case urlTopic != "" && o.topic != urlTopic && o.topicSource() == fromFlag && o.conn.source("url") == fromFlag:
		return usagef("two topics: %q in --url and %q in --topic", cut(urlTopic), cut(o.topic)).hint("leave one of them out; a message goes to one topic")
	case o.topic == "":
		return usagef("no topic to publish to").hint("add -t TOPIC, for example -t home/heater")
	case sources == 0 && env.StdinTTY:
		return usagef("nothing to publish").hint("give the message with -m TEXT or -f FILE; -l publishes lines that you type, -n an empty message")
	case sources == 0:
		return usagef("nothing to publish").hint("-l publishes each line of standard input, -s all of it as one message; -m TEXT gives the message itself")
	case sources > 1:
		return usagef("give one of -m, -f, -l, -0, -n and -s, not several of them")
	case o.repeat > 1 && (o.lines || o.records):
		return usagef("--repeat goes with -m, -f, -n and -s: lines of standard input come only once").hint("leave --repeat out, or read a file with -f")
	}
	if err := packet.CheckTopicName(o.topic); err != nil {
		e := usagef("%v", err)
		if packet.CheckTopicFilter(o.topic) == nil {
			e = e.hint("to receive from several topics use `mq sub -t %q`", o.topic)
		}
		return e
	}
	return checkText("topic", o.topic)
}

// topicSource returns where the topic came from.
func (o *pubOptions) topicSource() source {
	if o.topicOption == nil {
		return fromDefault
	}
	return o.topicOption.source
}

// runPub publishes what o says and returns when everything was acknowledged.
func runPub(ctx context.Context, env *Env, o *pubOptions) error {
	conn, topic, err := o.conn.build(env)
	if err != nil {
		return err
	}
	if err := o.validate(env, topic); err != nil {
		return err
	}
	src, err := o.source(env)
	if err != nil {
		return err
	}
	talk, err := newTalk(env, &o.talk)
	if err != nil {
		return err
	}
	conn.OnEvent, conn.Tap = talk.event, talk.tap(&conn)
	if !(o.lines || o.records) && conn.Reconnect.For == 0 {
		conn.Reconnect.For = pubOutage
	}
	p := &publisher{env: env, o: o, src: src, talk: talk}
	if o.rate > 0 {
		p.interval = time.Duration(float64(time.Second) / o.rate)
	}
	if p.session, err = connect.Open(ctx, conn); err != nil {
		return err
	}
	return p.run(ctx)
}

// pubOutage bounds how long a publisher of a few messages waits for a broker that went away; a stream waits for ever.
const pubOutage = 30 * time.Second

// publisher moves messages from a source to a session.
type publisher struct {
	env      *Env
	o        *pubOptions
	src      *payloads
	talk     *talk
	session  connect.Session
	interval time.Duration // between messages, 0 for none
	next     time.Time     // when the next message is due
	skipped  int           // messages that could not be sent
}

// run publishes in a goroutine of its own, because reading standard input cannot be interrupted.
func (p *publisher) run(ctx context.Context) error {
	pumped := make(chan error, 1)
	pumping, stop := context.WithCancel(ctx)
	defer stop()
	go func() { pumped <- p.pump(pumping) }()
	progress := p.showProgress()
	var err error
	select {
	case err = <-pumped:
	case <-p.session.Done():
		err = p.session.Err()
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		err = p.session.Drain(ctx)
	}
	progress()
	if err != nil {
		stop()
		p.settle()
	}
	return p.finish(err)
}

// settle gives acknowledgements that are on their way a moment to arrive before the run ends early.
func (p *publisher) settle() {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	_ = p.session.Drain(ctx)
}

// finish closes the session and makes the truth about every message part of the error.
func (p *publisher) finish(err error) error {
	pending := p.session.Stats().Pending
	closeErr := hangUp(p.session, err != nil)
	st := p.session.Stats()
	lost := int(st.Published) - int(st.Written) // QoS 0 has no acknowledgement: what was never written is lost
	switch {
	case pending > 0:
		p.talk.say("%d of %d messages not acknowledged", pending, st.Published)
	case errors.Is(closeErr, errNotRead):
		p.talk.say("%v; messages may be lost", closeErr)
	case lost > 0:
		p.talk.say("%d of %d messages not sent", lost, st.Published)
	}
	switch {
	case err != nil:
		return err
	case closeErr != nil:
		return closeErr
	case lost > 0:
		return &failure{msg: "the connection broke while messages of QoS 0 were on their way", hints: []string{"-q 1 makes sure that messages arrive"}}
	case p.skipped > 0:
		return &failure{msg: fmt.Sprintf("%d messages were too long and not sent", p.skipped)}
	}
	return nil
}

// pump publishes every message of the source, as often as asked for.
func (p *publisher) pump(ctx context.Context) error {
	for i := range p.o.repeat {
		if i > 0 && p.o.delay > 0 {
			if err := p.session.Drain(ctx); err != nil { // the delay counts from delivery
				return err
			}
			if err := connect.Sleep(ctx, p.o.delay); err != nil {
				return err
			}
		}
		if err := p.src.each(func(payload []byte) error { return p.publish(ctx, payload) }, p.tooLong); err != nil {
			return err
		}
	}
	return nil
}

func (p *publisher) publish(ctx context.Context, payload []byte) error {
	if p.interval > 0 {
		now := p.env.Now()
		if wait := p.next.Sub(now); wait > 0 {
			if err := connect.Sleep(ctx, wait); err != nil {
				return err
			}
		} else if wait < -time.Second {
			p.next = now // a slow source or broker does not entitle to a burst
		}
		p.next = p.next.Add(p.interval)
	}
	m := packet.Message{Topic: p.o.topic, Payload: payload, QoS: packet.QoS(p.o.qos), Retain: p.o.retain}
	return p.session.Publish(ctx, &m, nil)
}

func (p *publisher) tooLong(number int, length int64) {
	p.skipped++
	p.talk.say("message %d is not sent: %d bytes, the limit is %d", number, length, p.o.maxPayload())
}

// showProgress keeps a line on a terminal's standard error up to date during a long run; the answer ends it.
func (p *publisher) showProgress() (end func()) {
	long := p.o.lines || p.o.records || p.o.repeat > 1
	if !long || p.env.StdinTTY && p.src.r != nil || !p.env.StderrTTY || p.talk.quiet || p.talk.debug {
		return func() {}
	}
	line := format.NewProgress(p.env.Stderr, p.width)
	start := p.env.Now()
	ticker := time.NewTicker(200 * time.Millisecond)
	stop, stopped := make(chan struct{}), make(chan struct{})
	show := func() {
		st := p.session.Stats()
		p.talk.progress(format.ProgressState{Sent: int64(st.Written), Acked: int64(st.Acknowledged), Acks: p.o.qos > 0, Total: p.total(),
			Share: p.src.share(), Elapsed: p.env.Now().Sub(start)})
	}
	p.talk.setLine(line)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-ticker.C:
				if p.env.Now().Sub(start) > time.Second {
					show()
				}
			case <-stop:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(stop)
		<-stopped
		_ = line.Close(false)
		p.talk.setLine(nil)
	}
}

func (p *publisher) width() int {
	w, _ := p.env.TermSize()
	return w
}

// total returns how many messages there will be, 0 for a stream.
func (p *publisher) total() int64 { return int64(len(p.src.whole)) * int64(p.o.repeat) }

// maxPayload is what fits beside the topic in the greatest packet [MQTT-2.2.3].
func (o *pubOptions) maxPayload() int64 { return 268435455 - int64(len(o.topic)) - 4 }

// source opens what the messages come from.
func (o *pubOptions) source(env *Env) (*payloads, error) {
	s := &payloads{limit: o.maxPayload()}
	switch {
	case o.null:
		s.whole = [][]byte{nil}
	case o.lines, o.records:
		s.r, s.end = env.Stdin, '\n'
		if o.records {
			s.end = 0
		}
		if env.StdinTTY && env.StderrTTY && !o.talk.quiet {
			fmt.Fprintln(env.Stderr, "publishing each line you type; Ctrl-D ends")
		}
		s.size = sizeOf(env.Stdin)
	case o.file != "":
		return s, s.addFile(o.file)
	case o.stdin:
		return s, s.addStdin(env.Stdin)
	}
	for _, m := range o.messages {
		if int64(len(m)) > s.limit {
			return nil, usagef("--message: %d bytes, the limit is %d", len(m), s.limit)
		}
		s.whole = append(s.whole, []byte(m))
	}
	return s, nil
}

func sizeOf(r any) int64 {
	f, ok := r.(interface{ Stat() (os.FileInfo, error) })
	if !ok {
		return 0
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return info.Size()
	}
	return 0
}
