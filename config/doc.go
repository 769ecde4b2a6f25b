// Package config reads the settings of a program from layers and decodes them, section by section, into typed
// structs. It is strict: whatever it cannot place is a fault that says where it stands and what to do.
//
// # Layers
//
// [Load] reads its sources in order; a later source wins over an earlier one. Groups (maps) merge key by key,
// lists and single values are replaced as a whole, and an empty value (`key:` or `key: null`) takes back what
// earlier layers set, so that the default holds again. Layering and unmarshalling are done by koanf; this
// package adds what makes a mistake easy to find.
//
//	cfg, err := config.Load(
//		config.File("base.yaml"),
//		config.File("site.yaml"),
//		config.Environment("PLBA", os.Environ()),
//		config.Settings(fromFlags),
//	)
//
// A YAML file is one document that holds a map. In its texts ${NAME} stands for an environment variable; it is
// replaced after parsing, so a variable's content can never change the structure of the file. $${ stands for a
// plain ${.
//
// # Sections
//
// [Section] (or [Config.Decode] for a path) fills a struct by its koanf tags:
//
//		type Config struct {
//			Account  string        `koanf:"account"`
//			Password string        `koanf:"password" secret:"true"`
//			Every    time.Duration `koanf:"search_every"`
//		}
//
//	  - Steps: SetDefaults (where *T has it), then the settings, then Validate() error (where *T has it). Both
//	    also hold for nested values: struct fields, and the elements of maps and lists. Inner values go first.
//	  - Validate is not called on a value that already has faults, so one mistake gives one message.
//	  - A field without a tag has its name in lower case as key, a field tagged "-" is not configurable, and
//	    ",squash" takes the fields of an embedded struct as if they stood in the outer one.
//	  - Field types: bool, integers, floats, string, time.Duration, anything with UnmarshalText, structs, maps,
//	    slices, arrays, pointers to these, and any.
//	  - A key that no field has is a fault, so is a value of another type. Nothing is converted silently: a
//	    duration is written with its unit ("10s"), a text that looks like a number is put in quotes. Only texts
//	    from the environment, which knows nothing but text, stand for numbers, truth values, durations and
//	    comma-separated lists.
//	  - Top-level sections that nobody asked for are reported by [Config.Unclaimed].
//
// # Faults
//
// Every mistake is a [*Fault] with its place ("cfg.yaml:6", "environment variable PLBA_LOG__LEVEL"), the key, the
// problem and, where there is one, a hint. All faults of all sources come together, sorted by place; [errors.As]
// finds each of them. Load returns what it could read even when it returns an error, so that a program can decode
// its sections nevertheless and report everything at once with [Join].
//
// The value of a field of type [Secret], or tagged secret:"true", never appears in an error.
//
// # Reload
//
// [Config.Reload] reads the sources again and asks the new configuration everything that the program asked of the first
// one: by [Section], [Follow] and [Ask]. It is all or nothing: with one fault, wherever it is, nothing changes. What is
// sound takes effect with [Reload.Apply], for the sections that are followed, all of them at the same instant:
//
//	live, err := config.Follow[Config](cfg, "shop")
//	…
//	live.Get()             // the present value
//	live.OnChange(f)       // f(old, new), one function after the other
//
// What differs in sections that are not followed is named in [Reload.Restart], and holds when the program is started
// anew. [Watch] tells when the files have changed, in whatever way they are replaced.
//
// # Limits
//
// A source of YAML may be 1 MiB long, hold 100,000 values after its aliases are expanded, and be nested 64 deep.
// These keep a broken or hostile file from exhausting memory; each is reported as a fault.
//
// A [Config] does not change after Load, nor by a reload, and may be used by any number of goroutines. Only what
// [Follow] returns changes.
package config
