package config_test

import (
	"errors"
	"fmt"
	"testing/fstest"
	"time"

	"github.com/plba/plba/config"
)

// Shop is the section of an application. It needs no import of this package.
type Shop struct {
	Account  string                `koanf:"account"`
	Password string                `koanf:"password" secret:"true"`
	Every    time.Duration         `koanf:"search_every"`
	Folders  map[string]ShopFolder `koanf:"folders"`
}

// ShopFolder is one element of Shop.Folders.
type ShopFolder struct {
	Keep time.Duration `koanf:"keep"`
}

func (s *Shop) SetDefaults()       { s.Every = time.Minute }
func (f *ShopFolder) SetDefaults() { f.Keep = 24 * time.Hour }

func (s *Shop) Validate() error {
	if s.Account == "" {
		return errors.New("account is required")
	}
	return nil
}

func Example() {
	base := config.YAML("base.yaml", `
mail_order_bot:
  account: orders@example.org
  password: ${MAIL_PASSWORD}
  folders:
    processed:
    review: {keep: 720h}
`)
	environ := config.Environment("PLBA", []string{
		"MAIL_PASSWORD=secret",
		"PLBA_MAIL_ORDER_BOT__SEARCH_EVERY=15s",
	})
	cfg, err := config.Load(base, environ)
	if err != nil {
		fmt.Println(err)
		return
	}
	shop, err := config.Section[Shop](cfg, "mail_order_bot")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(shop.Account, shop.Every)
	fmt.Println(shop.Folders["processed"].Keep, shop.Folders["review"].Keep)
	fmt.Println(cfg.Where("mail_order_bot/search_every"))
	fmt.Println(cfg.Where("mail_order_bot/folders/review/keep"))
	// Output:
	// orders@example.org 15s
	// 24h0m0s 720h0m0s
	// environment variable PLBA_MAIL_ORDER_BOT__SEARCH_EVERY
	// base.yaml:7
}

// All that is wrong is said at once, and where.
func Example_faults() {
	cfg, errLoad := config.Load(config.YAML("cfg.yaml", `
mail_order_bot:
  acount: orders@example.org
  search_every: 15
  password: ${MAIL_PASWORD}
  folders:
    review: {keep: a week}
logs: {}
`), config.Environment("PLBA", []string{"MAIL_PASSWORD=secret"}))
	_, errShop := config.Section[Shop](cfg, "mail_order_bot")
	cfg.Claim("log")
	fmt.Println(config.Join(errLoad, errShop, cfg.Unclaimed()))
	// Output:
	// cfg.yaml:3: unknown key "mail_order_bot.acount" (did you mean "account"?)
	// cfg.yaml:4: mail_order_bot.search_every: wants a duration with its unit, got the number 15 without one (write "15s" for seconds)
	// cfg.yaml:5: mail_order_bot.password: undefined variable ${MAIL_PASWORD} (set it in the environment, or write $${ for a plain ${)
	// cfg.yaml:7: mail_order_bot.folders.review.keep: wants a duration such as "30s" or "5m", got the text "a week"
	// cfg.yaml:8: unknown section "logs" (did you mean "log"?)
}

// What is followed changes with a reload; what is not waits for a restart of the program.
func ExampleFollow() {
	file := fstest.MapFS{"cfg.yaml": {Data: []byte("limits: {rate: 20}\nserver: {listen: ':80'}")}}
	cfg, err := config.Load(config.FSFile(file, "cfg.yaml"))
	if err != nil {
		fmt.Println(err)
		return
	}
	type limits struct{ Rate int }
	live, err := config.Follow[limits](cfg, "limits")
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := config.Section[struct{ Listen string }](cfg, "server"); err != nil {
		fmt.Println(err)
		return
	}
	live.OnChange(func(old, new limits) { fmt.Println("rate:", old.Rate, "->", new.Rate) })

	for _, text := range []string{
		"limits: {rate: 50}\nserver: {listen: ':8080'}",
		"limits: {rate: 100}\nserver: {listn: ':8080'}",
	} {
		file["cfg.yaml"].Data = []byte(text)
		reload, err := cfg.Reload()
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, n := range reload.Apply() {
			n.Tell()
		}
		fmt.Println("needs a restart:", reload.Restart)
	}
	fmt.Println("rate now:", live.Get().Rate)
	// Output:
	// rate: 20 -> 50
	// needs a restart: [server.listen (cfg.yaml:2)]
	// cfg.yaml:2: unknown key "server.listn" (did you mean "listen"?)
	// rate now: 50
}

func ExampleSecret() {
	s := config.Secret("hunter2")
	fmt.Printf("%v %q %d %s\n", s, s, s, s.Reveal())
	// Output: *** *** *** hunter2
}

// A Fault is found through joined errors.
func ExampleFault() {
	_, err := config.Load(config.YAML("cfg.yaml", "log: {}\nlog: {}"))
	var fault *config.Fault
	if errors.As(err, &fault) {
		fmt.Printf("%s | %s | %s | %s\n", fault.Where, fault.Key, fault.Problem, fault.Hint)
	}
	// Output: cfg.yaml:2 | log | duplicate key "log" | it is also on line 1
}

func ExampleConfig_Unknown() {
	cfg, err := config.Load(config.YAML("cfg.yaml", "platform: {workers: {email-procesing: {concurrency: 3}}}"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Unknown("platform/workers", "email-processing", "mail-polling"))
	// Output: cfg.yaml:1: unknown key "platform.workers.email-procesing" (did you mean "email-processing"?)
}
