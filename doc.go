// Package plba is the face of the platform: the names that an application's modules and its main need, thin over the packages that do
// the work.
//
// An application is a Module that declares what it is made of, and a main that hands it to Main:
//
//	func (m *module) Register(r *plba.Registry) error {
//		cfg, err := plba.Section[Config](r, "shop")
//		if err != nil {
//			return err
//		}
//		mails := plba.Queue[Mail](r, "mails")
//		orders := plba.Pipeline(r, pipeline.New[Mail, pipeline.Done]("orders").
//			Stage(pipeline.Map("parse", parse)).
//			Stage(pipeline.Sink("store", store)))
//		r.Worker(workers.Poll("mail-polling", cfg.PollEvery, search))
//		r.Worker(workers.Consume("order-processing", mails, orders, workers.Concurrency(3)), plba.Critical())
//		return nil
//	}
//
//	func main() { plba.Main(&module{}) }
//
// Main owns flags, signals and exit codes. New is for embedding an application in a program that has its own: no signals, no global state, no
// environment, and as many applications in one process as one likes.
//
// The memory engine is the only queue engine linked here; others come by WithDrivers in main, so that a program carries only what it uses.
package plba
