package pipeline

// site is where a stage is put when its pipeline is built: it has what the stage gets from its place.
type site struct {
	pipeline   string       // the pipeline that the stage is written in
	id         string       // of the node around it, in the graph of the pipeline that is being built
	middleware []Middleware // of the pipeline that it is written in
	meters     meters       // of the pipeline that is being built
	nested     bool         // inside of a nested pipeline: the stage keeps the state of its policies
}

// idOf is the graph's ID of a stage of that name put there.
func (s site) idOf(name string) string { return s.id + "/" + name }

// inside is the site of the stages inside of the stage with that ID.
func (s site) inside(id string) site {
	s.id = id
	return s
}

// standing is what a stage has of its place. The zero value stands nowhere: the stage runs alone.
type standing struct {
	info       StageInfo
	middleware []Middleware
	meter      *meter
	span       spanOptions
}

func (s site) stand(n *node) standing {
	info := StageInfo{Pipeline: s.pipeline, ID: s.idOf(n.name), Name: n.name, Kind: n.kind, Description: n.description}
	return standing{info: info, middleware: s.middleware, meter: s.meters.at(info.ID), span: spanOptionsFor(s.pipeline, n)}
}

// alone is the standing of a stage in no pipeline.
func alone(n *node) standing {
	return standing{
		info:  StageInfo{ID: n.name, Name: n.name, Kind: n.kind, Description: n.description},
		meter: new(meter),
		span:  spanOptionsFor("", n),
	}
}
