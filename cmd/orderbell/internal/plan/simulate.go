package plan

import (
	"slices"
	"time"
)

// Phase is a time with a load.
type Phase struct {
	Payments int
	For      time.Duration
}

// Cell is what is simulated: one database with the function order-paid, its topic, Redis and gateways. It starts at zero pods.
type Cell struct {
	Phases []Phase

	APICores      int
	API           time.Duration // of a core of order-api, whose pods are all there
	DatabaseCores int
	Accept        time.Duration // of a core of the database: the payment's transaction, the relay, and the order's other changes
	Path          time.Duration // without a queue: order-api, relay, Kafka and dispatcher
	Lanes         int           // queues with a limit of their own: consumers or, where delivery is by partition, partitions
	LaneLimit     int           // events of a lane in flight, those in back-off included

	Concurrency           int
	Target                float64 // requests of a pod that the autoscaler aims at
	MaxScale              int
	Window                time.Duration
	StartLeast, StartMost time.Duration // from the request for a pod to its first answer

	Batches, BatchSize int
	BatchFixed         time.Duration // a batch's round trip and wait for the disk
	Apply              time.Duration // an event, of a core of the database
	Function           time.Duration // an event, of the pod's own processor

	RedisShards  int
	Redis        time.Duration
	GatewayCores int
	Gateway      time.Duration // an event: all pods that have a stream of the tenant, and all its streams

	Retries int
	Backoff time.Duration // doubled before each retry
	Fail    float64       // the part of attempts that fail

	KillAfter int // so many are delivered when a pod is killed; 0: never
	Spread    float64
	Seed      uint64
}

// PhaseCourse has the results of a phase's payments. Times are from a payment's request to the last screen.
type PhaseCourse struct {
	Payments  int           `json:"payments"`
	Delivered int           `json:"delivered"`
	Dead      int           `json:"dead"`
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	Most      time.Duration `json:"max_ns"`
	Last      time.Duration `json:"last_ns"` // when the last one was delivered or dead
	times     []time.Duration
}

// Course is a simulated run. Times count from its start.
type Course struct {
	Phases      []PhaseCourse `json:"phases"`
	Arrived     int           `json:"arrived"`
	Delivered   int           `json:"delivered"`
	Dead        int           `json:"dead"`
	Retries     int           `json:"retries"`
	Pods        []PodChange   `json:"pods"`
	MostPods    int           `json:"most_pods"`
	MostWaiting int           `json:"most_waiting"` // payments that were not delivered yet
	MostAt      time.Duration `json:"most_waiting_at_ns"`
	Drained     time.Duration `json:"drained_ns"` // when the last payment was delivered or dead
	MeanWaiting float64       `json:"mean_waiting"`
	MeanTime    time.Duration `json:"mean_time_ns"` // a payment's time until it was delivered or dead
	Events      int           `json:"events"`
	limits      []limit
	ends        []uint8 // of each payment
}

// lane is a queue of the topic.
type lane struct {
	waiting  []payment
	inFlight int
}

type simulation struct {
	*Cell
	agenda                   agenda
	chance                   chance
	now                      time.Duration
	api                      station
	database, redis, gateway station
	lanes                    []lane
	activator                []payment // requests that no pod has room for
	scaler                   autoscaler
	phase, left              int // the present phase, and how many of its payments have not arrived
	phaseEnd                 time.Duration
	waiting                  gauge
	sum                      time.Duration
	killed                   bool
	course                   Course
}

// Simulate runs c until every payment is delivered or dead and no pod is left. The same c has the same course.
func Simulate(c Cell) Course {
	s := &simulation{
		Cell: &c, chance: newChance(c.Seed, c.Spread), api: newStation(c.APICores), database: newStation(c.DatabaseCores), redis: newStation(c.RedisShards),
		gateway: newStation(c.GatewayCores), lanes: make([]lane, c.Lanes), phase: -1,
	}
	s.course.Phases = make([]PhaseCourse, len(c.Phases))
	s.arrive()
	s.agenda.add(event{at: time.Second, step: second})
	for len(s.agenda.heap) > 0 {
		e := s.agenda.next()
		s.now = e.at
		s.course.Events++
		s.happen(&e)
	}
	return s.finish()
}

// arrive plans the next arrival.
func (s *simulation) arrive() {
	from := s.now
	for s.left == 0 {
		if s.phase++; s.phase >= len(s.Phases) {
			return
		}
		from, s.left = s.phaseEnd, s.Phases[s.phase].Payments
		s.phaseEnd += s.Phases[s.phase].For
	}
	s.agenda.add(event{
		at: from + s.chance.gap(s.left, s.phaseEnd-from), step: arrives,
		payment: payment{phase: s.phase, lane: s.chance.random.IntN(len(s.lanes))},
	})
	s.left--
}

func (s *simulation) happen(e *event) {
	switch e.step {
	case arrives:
		s.waiting.add(s.now, 1)
		e.id, e.began = s.course.Arrived, s.now
		s.course.Arrived++
		s.course.ends = append(s.course.ends, 0)
		s.course.Phases[e.phase].Payments++
		s.agenda.add(event{at: s.api.serve(s.now, s.chance.vary(s.API)), step: checked, payment: e.payment})
		s.arrive()
	case checked:
		accepted := s.database.serve(s.now, s.chance.vary(s.Accept))
		s.agenda.add(event{at: accepted + s.chance.vary(s.Path), step: queued, payment: e.payment})
	case queued:
		s.lanes[e.lane].waiting = append(s.lanes[e.lane].waiting, e.payment)
		s.dispatch(e.lane)
	case applied:
		s.apply(e.pod, e.batch)
	case published:
		s.answered(e.pod)
		s.lanes[e.lane].inFlight--
		s.agenda.add(event{at: s.gateway.serve(s.now, s.chance.vary(s.Gateway)), step: delivered, payment: e.payment})
		s.dispatch(e.lane)
		s.assign()
	case delivered:
		s.course.Delivered++
		s.course.Phases[e.phase].Delivered++
		s.end(&e.payment)
		if s.KillAfter > 0 && s.course.Delivered >= s.KillAfter && !s.killed {
			s.killed = s.kill()
		}
	case retried:
		s.request(e.payment)
	case started:
		if !e.pod.stopping {
			e.pod.starting = false
			s.scaler.note(s.now)
			s.assign()
		}
	case second:
		s.tick()
	}
}

// dispatch sends what the lane's limit allows.
func (s *simulation) dispatch(of int) {
	for l := &s.lanes[of]; l.inFlight < s.LaneLimit && len(l.waiting) > 0; {
		p := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.inFlight++
		s.request(p)
	}
}

func (s *simulation) request(p payment) {
	s.scaler.requests.add(s.now, 1)
	s.activator = append(s.activator, p)
	s.assign()
}

// assign gives requests to the pods that have the fewest, and room.
func (s *simulation) assign() {
	for len(s.activator) > 0 {
		var to *pod
		for _, p := range s.scaler.pods {
			if !p.starting && p.inFlight < s.Concurrency && (to == nil || p.inFlight < to.inFlight) {
				to = p
			}
		}
		if to == nil {
			if len(s.scaler.pods) == 0 {
				s.scale(1) // the activator's request does not wait for the autoscaler's next look
			}
			return
		}
		to.inFlight++
		to.waiting = append(to.waiting, s.activator[0])
		s.activator = s.activator[1:]
		s.gather(to)
	}
}

// gather begins batches.
func (s *simulation) gather(p *pod) {
	for p.batches < s.Batches && len(p.waiting) > 0 {
		n := min(s.BatchSize, len(p.waiting))
		batch := p.waiting[:n:n]
		p.waiting = p.waiting[n:]
		p.batches++
		events := time.Duration(n)
		done := s.database.serve(s.now, s.chance.vary(events*s.Apply)) + s.chance.vary(s.BatchFixed+events*s.Function)
		s.agenda.add(event{at: done, step: applied, pod: p, batch: batch})
	}
}

func (s *simulation) apply(p *pod, batch []payment) {
	p.batches--
	for _, m := range batch {
		if p.killed || s.Fail > 0 && s.chance.random.Float64() < s.Fail {
			s.fail(p, m)
			continue
		}
		s.agenda.add(event{at: s.redis.serve(s.now, s.chance.vary(s.Redis)), step: published, pod: p, payment: m})
	}
	s.gather(p)
	s.assign()
}

func (s *simulation) answered(p *pod) {
	s.scaler.requests.add(s.now, -1)
	p.inFlight--
}

// fail retries m after its back-off, or makes it a dead letter.
func (s *simulation) fail(p *pod, m payment) {
	s.answered(p)
	if m.tries++; m.tries <= s.Retries {
		s.course.Retries++
		s.agenda.add(event{at: s.now + s.Backoff<<m.tries, step: retried, payment: m})
		return
	}
	s.course.Dead++
	s.course.Phases[m.phase].Dead++
	s.end(&m)
	s.lanes[m.lane].inFlight--
	s.dispatch(m.lane)
}

// end records the times of a payment that is delivered or dead.
func (s *simulation) end(p *payment) {
	s.waiting.add(s.now, -1)
	s.course.Drained = s.now
	s.sum += s.now - p.began
	s.course.ends[p.id]++
	phase := &s.course.Phases[p.phase]
	phase.times = append(phase.times, s.now-p.began)
	phase.Last = s.now
}

// tick runs the autoscaler for one second. It decides every two seconds.
func (s *simulation) tick() {
	s.scaler.observe(s.now, s.Window)
	s.course.limits = append(s.course.limits, s.limit())
	if s.scaler.seconds%2 == 0 {
		s.scale(s.scaler.want(s.now, s.Cell))
		s.assign()
	}
	if s.phase < len(s.Phases) || s.waiting.n > 0 || len(s.scaler.pods) > 0 {
		s.agenda.add(event{at: s.now + time.Second, step: second})
	}
}

func (s *simulation) finish() Course {
	c := &s.course
	for i := range c.Phases {
		p := &c.Phases[i]
		slices.Sort(p.times)
		if n := len(p.times); n > 0 {
			p.P50, p.P99, p.Most = p.times[(n-1)/2], p.times[(n-1)*99/100], p.times[n-1]
		}
	}
	c.Pods = s.scaler.changes
	for _, change := range c.Pods {
		c.MostPods = max(c.MostPods, change.Ready)
	}
	c.MostWaiting, c.MostAt = s.waiting.most, s.waiting.mostAt
	if c.Arrived > 0 {
		c.MeanWaiting, c.MeanTime = s.waiting.area/c.Drained.Seconds(), s.sum/time.Duration(c.Arrived)
	}
	return *c
}
