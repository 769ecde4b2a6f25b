// Command mailorderbot is a small wholesaler's order inbox on PLBA: it polls an IMAP inbox, takes the orders out of the attachments, stores them,
// confirms them by mail, and moves every mail to Processed, Rejected or Review.
//
//	go run ./examples/mailorderbot [-config FILE]... [-once] [-mails DIR] [-listen ADDR]
//
// Without an IMAP address in its configuration it demonstrates itself: it starts a mail server inside the process, delivers the sample mails (or the
// *.eml files of DIR) and works through them. -once stops when the inbox is empty; the exit code is then 0 only when every mail ended in a folder.
package main

import (
	"embed"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/plba/plba"
	"github.com/plba/plba/config"
	"github.com/plba/plba/control"
	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/sqlite"
	"github.com/plba/plba/runtime"
)

//go:embed config.yaml testdata/catalogue.csv testdata/customers.csv testdata/mails/*.eml
var files embed.FS

// samples is testdata.
func samples() fs.FS {
	sub, err := fs.Sub(files, "testdata")
	if err != nil {
		panic(err) // the path is a constant and valid
	}
	return sub
}

func main() {
	m := &module{out: os.Stdout}
	plba.Main(m, append(m.options(), plba.WithFlags(m.flags), plba.WithSetup(m.setup))...)
}

// options are what the program brings along. Which of the engines keeps the queue is the configuration's choice.
func (m *module) options() []plba.Option {
	return []plba.Option{
		plba.WithConfigFS(files, "config.yaml"), plba.WithDrivers(sqlite.Driver(), postgres.Driver()), plba.WithRuntime(runtime.WithChannel(m.noteAddress)),
	}
}

func (m *module) flags(fs *flag.FlagSet) {
	fs.BoolVar(&m.once, "once", false, "stop when the inbox is empty; exit 0 only if every mail ended in a folder")
	fs.StringVar(&m.mails, "mails", "", "deliver the *.eml files of `DIR` instead of the samples (demonstration only)")
	fs.StringVar(&m.listen, "listen", "", "`ADDR` of the control plane (host:port), above the configuration")
}

const usualAddress = "127.0.0.1:8080"

// setup turns the flags into options. The program does not insist on the usual port: a configuration or -listen does.
func (m *module) setup() ([]plba.Option, error) {
	if m.mails != "" {
		if info, err := os.Stat(m.mails); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("-mails %s: there is no such folder", m.mails)
		}
		list, err := mailserver.ReadFiles(os.DirFS(m.mails))
		if err != nil {
			return nil, fmt.Errorf("-mails %s: %w", m.mails, err)
		}
		m.deliver = list
	}
	if m.listen != "" {
		if _, _, err := net.SplitHostPort(m.listen); err != nil {
			return nil, fmt.Errorf("-listen %s: it must be host:port, such as 127.0.0.1:9090, or 127.0.0.1:0 for any free port", m.listen)
		}
		return []plba.Option{plba.WithSetting("platform.control.listen", m.listen)}, nil
	}
	if isFree(usualAddress) {
		return nil, nil
	}
	m.otherPort = true
	return []plba.Option{plba.WithConfigYAML("platform: {control: {listen: '127.0.0.1:0'}}")}, nil
}

func isFree(address string) bool {
	l, err := net.Listen("tcp", address)
	return err == nil && l.Close() == nil
}

// noteAddress looks where the control plane will listen, to repeat it below the report. It is no channel itself.
func (m *module) noteAddress(c *config.Config) (runtime.Channel, error) {
	var cc control.Config
	if err := c.Decode("platform/control", &cc); err != nil || !cc.Enabled {
		m.otherPort = false
		return nil, nil // the control plane's own channel reports the fault
	}
	m.control = "its address and token are above"
	if _, port, err := net.SplitHostPort(cc.Listen); err == nil && port != "0" {
		m.control, m.otherPort = "http://"+cc.Listen+"/docs", false
	}
	return nil, nil
}
