package format

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestUseColor(t *testing.T) {
	tests := []struct {
		name string
		mode ColorMode
		tty  bool
		env  map[string]string
		want bool
	}{
		{"terminal", ColorAuto, true, nil, true},
		{"pipe", ColorAuto, false, nil, false},
		{"always", ColorAlways, false, map[string]string{"NO_COLOR": "1"}, true},
		{"never", ColorNever, true, map[string]string{"CLICOLOR_FORCE": "1"}, false},
		{"NO_COLOR", ColorAuto, true, map[string]string{"NO_COLOR": "1"}, false},
		{"NO_COLOR=0 is set too", ColorAuto, true, map[string]string{"NO_COLOR": "0"}, false},
		{"NO_COLOR beats CLICOLOR_FORCE", ColorAuto, true, map[string]string{"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, false},
		{"CLICOLOR_FORCE", ColorAuto, false, map[string]string{"CLICOLOR_FORCE": "1"}, true},
		{"CLICOLOR_FORCE=0", ColorAuto, false, map[string]string{"CLICOLOR_FORCE": "0"}, false},
		{"CLICOLOR=0", ColorAuto, true, map[string]string{"CLICOLOR": "0"}, false},
		{"dumb terminal", ColorAuto, true, map[string]string{"TERM": "dumb"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := UseColor(tt.mode, tt.tty, func(k string) string { return tt.env[k] }); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestColorMode(t *testing.T) {
	for i := range 256 {
		m := ColorMode(i)
		back, err := ParseColorMode(m.String())
		if i <= int(ColorNever) && (err != nil || back != m) || i > int(ColorNever) && err == nil {
			t.Errorf("%v came back as %v, %v", m, back, err)
		}
	}
	_, err := ParseColorMode("yes")
	if want := `unknown color mode "yes": allowed are auto, always, never`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPalette(t *testing.T) {
	// Yellow, blue, white, black and the bright colours vanish on one background or the other.
	unreadable := regexp.MustCompile(`\b(30|33|34|37|9[0-7])\b`)
	v := reflect.ValueOf(NewPalette(true))
	var b strings.Builder
	named := make(map[string]Style)
	var order []string
	add := func(name string, st any) { order, named[name] = append(order, name), st.(Style) }
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if f := v.Field(i); f.Kind() == reflect.Array {
			for j := range f.Len() {
				add(fmt.Sprintf("%s[%d]", name, j), f.Index(j).Interface())
			}
			continue
		}
		add(name, v.Field(i).Interface())
	}
	for _, name := range order {
		st := named[name]
		s := st.Sprint("text")
		if string(st.Append(nil, "text")) != s {
			t.Errorf("Append and Sprint differ for %q", s)
		}
		if unreadable.MatchString(s) {
			t.Errorf("%q is hard to read on some backgrounds", s)
		}
		fmt.Fprintf(&b, "%s %q\n", name, s)
	}
	golden(t, "palette.txt", b.String())
	if NewPalette(false) != (Palette{}) || (Style{}).Sprint("text") != "text" {
		t.Error("a disabled palette has colours")
	}
}
