package commands

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"mq/connect"
	"mq/format"
	"mq/packet"
)

// subOptions is what `mq sub` was asked to do.
type subOptions struct {
	conn        connFlags
	talk        talkFlags
	topics      []string
	qos         int
	filterOut   []string
	unsubscribe []string
	strict      bool

	count      int
	timeout    time.Duration
	exitAfter  bool
	noRetained bool
	onlyRetained,
	removeRetained bool
	random float64

	verbose     int
	noNewline   bool
	format      string
	json        bool
	pretty      bool
	raw         bool
	watch       bool
	messageRate bool

	retainAsPublished bool
	retainHandling    string

	subs []connect.Subscription
	tmpl *format.Template
}

func subCommand(env *Env) *command {
	o := &subOptions{}
	cmd := &command{
		name: "sub", usage: "subscribe and print what arrives",
		args: "-t FILTER [-t FILTER...] [options]",
		about: "Prints every message that matches one of the topic filters, until it is interrupted or told to stop. After a " +
			"broken connection it reconnects and subscribes again.\n\nThe options are those of mosquitto_sub, and more.",
		example: []example{
			{"mq sub -t 'home/#' -v", "everything below home/, with its topic"},
			{"mq sub -t home/heater -C 1 -W 5", "one message, or exit status 27 after five seconds"},
			{"mq sub -t 'home/#@2' -t 'log/#@0' --json | jq .payload", "filters with a QoS of their own; a JSON object a line"},
			{"mq sub -t 'home/#' --retained-only -F '%t %l'", "topics and lengths of the retained messages, then end"},
		},
	}
	cmd.options = append(subscribeOptions(o), endOptions(o)...)
	cmd.options = append(cmd.options, outputOptions(o)...)
	cmd.options = append(cmd.options, connOptions(&o.conn)...)
	cmd.options = append(cmd.options, talkOptions(&o.talk)...)
	cmd.run = func(ctx context.Context) error { return runSub(ctx, env, o) }
	return cmd
}

func subscribeOptions(o *subOptions) []*option {
	const g = groupSubscribe
	return []*option{
		{group: g, name: "topic", short: "t", arg: "FILTER", usage: "topic filter to subscribe to, + and # are wildcards; @0, @1 or @2 at its end is its QoS; may be repeated", set: addString(&o.topics)},
		{group: g, name: "qos", short: "q", arg: "QOS", usage: "greatest quality of service of the messages: 0, 1 or 2 (default 0)", set: setInt(&o.qos, 0, 2)},
		{group: g, name: "filter-out", short: "T", arg: "FILTER", usage: "do not print messages whose topic matches; may be repeated", set: addString(&o.filterOut)},
		{group: g, name: "unsubscribe", short: "U", arg: "FILTER", usage: "unsubscribe after subscribing; may be repeated", set: addString(&o.unsubscribe)},
		{group: g, name: "strict", usage: "fail when the broker refuses one of several filters", set: setBool(&o.strict)},
		{group: g, name: "no-retained", short: "R", usage: "do not print retained messages", set: setBool(&o.noRetained)},
		{group: g, name: "remove-retained", usage: "remove every retained message that arrives from the broker", set: setBool(&o.removeRetained)},
		{group: g, name: "random-filter", arg: "PERCENT", usage: "print this share of the messages, 0.1 to 100", set: setFloat(&o.random, 0.1, 100)},
		{group: g, name: "retain-as-published", usage: "MQTT 5 subscription option; not supported by this version", set: setBool(&o.retainAsPublished)},
		{group: g, name: "retain-handling", arg: "WHEN", usage: "MQTT 5 subscription option; not supported by this version", set: setString(&o.retainHandling)},
	}
}

func endOptions(o *subOptions) []*option {
	const g = groupEnd
	return []*option{
		{group: g, name: "count", short: "C", arg: "N", usage: "end after N messages", set: setInt(&o.count, 1, math.MaxInt)},
		{group: g, name: "timeout", short: "W", arg: "TIME", usage: "end after TIME, in seconds or with a unit, with exit status 27", set: setDuration(&o.timeout, time.Millisecond)},
		{group: g, name: "exit-after-subscribe", short: "E", usage: "end when the broker has acknowledged the subscriptions", set: setBool(&o.exitAfter)},
		{group: g, name: "retained-only", usage: "print retained messages only, and end when there are no more", set: setBool(&o.onlyRetained)},
	}
}

func outputOptions(o *subOptions) []*option {
	const g = groupOutput
	return []*option{
		{group: g, name: "verbose", short: "v", usage: "print the topic before each message", set: countBool(&o.verbose)},
		{group: g, name: "format", short: "F", arg: "FORMAT", usage: "print each message by FORMAT: %t topic, %p payload, %q QoS, %j JSON, ...; as in mosquitto_sub", set: setString(&o.format)},
		{group: g, name: "json", usage: "print a JSON object a line; lossless", set: setBool(&o.json)},
		{group: g, name: "pretty", usage: "indent JSON", set: setBool(&o.pretty)},
		{group: g, name: "no-newline", short: "N", usage: "no line end after each message", set: setBool(&o.noNewline)},
		{group: g, name: "raw", usage: "do not escape control characters on a terminal", set: setBool(&o.raw)},
		{group: g, name: "watch", short: "w", usage: "one line a topic on the terminal, kept up to date", set: setBool(&o.watch)},
		{group: g, name: "message-rate", usage: "print the number of messages each second instead of the messages", set: setBool(&o.messageRate)},
	}
}

// validate applies the rules that need no network and parses the filters.
func (o *subOptions) validate(env *Env, urlTopic string) error {
	if urlTopic != "" && (len(o.topics) == 0 || o.conn.source("url") == fromFlag) {
		o.topics = append(o.topics, urlTopic)
	}
	if err := o.refuse(env); err != nil {
		return err
	}
	for _, t := range o.topics {
		s, err := parseSubscription(t, packet.QoS(o.qos))
		if err != nil {
			return err
		}
		o.subs = append(o.subs, s)
	}
	for _, list := range []struct {
		flag    string
		filters []string
	}{{"filter-out", o.filterOut}, {"unsubscribe", o.unsubscribe}} {
		for _, f := range list.filters {
			if err := packet.CheckTopicFilter(f); err != nil {
				return usagef("--%s: %v", list.flag, err)
			}
		}
	}
	if o.format != "" {
		t, err := format.ParseTemplate(o.format)
		if err != nil {
			return usagef("--format: %v", err).hint("`mq help sub` names the most useful; the full list is in docs/formats.md")
		}
		o.tmpl = t
	}
	return nil
}

func (o *subOptions) refuse(env *Env) error {
	switch {
	case len(o.topics) == 0 && len(o.unsubscribe) == 0:
		return usagef("no topic filter to subscribe to").hint("add -t FILTER, for example -t 'home/#'; -t '#' is everything")
	case o.retainAsPublished:
		return usagef("--retain-as-published needs MQTT 5, which this version of mq does not speak")
	case o.retainHandling != "":
		return usagef("--retain-handling needs MQTT 5, which this version of mq does not speak").hint("-R leaves retained messages out")
	case o.onlyRetained && o.noRetained:
		return usagef("--retained-only and --no-retained exclude each other").hint("leave one of them out")
	case o.watch && !env.StdoutTTY:
		return usagef("--watch needs a terminal on standard output").hint("leave --watch out to write lines")
	case o.watch && o.messageRate:
		return usagef("--watch and --message-rate exclude each other").hint("leave one of them out")
	case o.pretty && !o.json && !strings.ContainsAny(o.format, "jJ"):
		return usagef("--pretty is for JSON").hint("add --json, or %%j or %%J in --format")
	}
	return nil
}

// parseSubscription reads FILTER or FILTER@QOS.
func parseSubscription(s string, qos packet.QoS) (connect.Subscription, error) {
	filter := s
	if i := strings.LastIndexByte(s, '@'); i > 0 && i == len(s)-2 {
		if n, err := strconv.Atoi(s[i+1:]); err == nil {
			if n > 2 {
				return connect.Subscription{}, usagef("--topic %q: @%d is not a QoS", s, n).hint("@0, @1 or @2 at the end of a filter is its QoS")
			}
			filter, qos = s[:i], packet.QoS(n)
		}
	}
	if err := packet.CheckTopicFilter(filter); err != nil {
		return connect.Subscription{}, usagef("%v", err).hint(`"+" stands for one level and "#", at the end, for all that follow: 'home/+/temp', 'home/#'`)
	}
	return connect.Subscription{Filter: filter, QoS: qos}, checkText("topic", filter)
}

// runSub subscribes and prints until there is a reason to end.
func runSub(ctx context.Context, env *Env, o *subOptions) error {
	conn, topic, err := o.conn.build(env)
	if err != nil {
		return err
	}
	if err := o.validate(env, topic); err != nil {
		return err
	}
	talk, err := newTalk(env, &o.talk)
	if err != nil {
		return err
	}
	out, err := newSubOutput(env, o, talk)
	if err != nil {
		return err
	}
	r := newReceiver(env, o, talk, out)
	conn.OnEvent, conn.Tap, conn.OnMessage = talk.event, talk.tap(&conn), r.receive
	ctx, cancel := r.withTimeout(ctx)
	defer cancel()
	session, err := connect.Open(ctx, conn)
	if err != nil {
		return errors.Join(r.ended(ctx, err), out.close())
	}
	r.session = session
	err = r.run(ctx)
	if cerr := hangUp(session, true); err == nil && !o.endless() {
		err = cerr
	}
	if oerr := out.close(); err == nil { // else it is the same error, or a lesser one
		err = oerr
	}
	return quietPipe(err)
}

// endless reports whether nothing but a signal ends the run.
func (o *subOptions) endless() bool {
	return o.count == 0 && o.timeout == 0 && !o.exitAfter && !o.onlyRetained
}

// subscribe sends SUBSCRIBE and UNSUBSCRIBE and judges the answers.
func (r *receiver) subscribe(ctx context.Context) error {
	if len(r.o.subs) > 0 {
		results, err := r.session.Subscribe(ctx, r.o.subs)
		if err != nil {
			return err
		}
		var refused []*connect.RefusedError
		for i, res := range results {
			switch {
			case res.Refused != nil:
				refused = append(refused, res.Refused)
			case res.QoS < r.o.subs[i].QoS:
				r.talk.say("%q: the broker grants QoS %s, not %s", res.Filter, res.QoS, r.o.subs[i].QoS)
			}
		}
		if err := r.judge(refused, len(results)); err != nil {
			return err
		}
	}
	if len(r.o.unsubscribe) > 0 {
		return r.session.Unsubscribe(ctx, r.o.unsubscribe)
	}
	return nil
}

// judge makes an error of refused filters if all were refused or one is enough, else a warning.
func (r *receiver) judge(refused []*connect.RefusedError, asked int) error {
	if len(refused) == 0 {
		return nil
	}
	if len(refused) == asked || r.o.strict {
		for _, e := range refused[1:] {
			r.talk.say("%v", e)
		}
		return refused[0]
	}
	for _, e := range refused {
		r.talk.say("warning: %v", e)
	}
	return nil
}

func (r *receiver) timeoutError() error {
	what := fmt.Sprintf("-W ran out after %v", r.o.timeout)
	if r.o.count > 0 {
		what += fmt.Sprintf(" with %d of %d messages", r.printed.Load(), r.o.count)
	}
	return &timeoutError{what}
}
