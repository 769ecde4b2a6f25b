package plba

import "os"

// reloadSignals are none: a program on Windows hears of SIGHUP only when its console is closed, and then it has to end.
var reloadSignals []os.Signal
