package main

import "fmt"

// quantiles are the median and the 99th percentile of a histogram in seconds.
func quantiles(name, labels string) []query {
	var all []query
	for _, q := range []struct {
		at     float64
		legend string
	}{{0.5, "median"}, {0.99, "p99"}} {
		expr := fmt.Sprintf("histogram_quantile(%g, sum by (le) (rate(%s_bucket{%s}[$__rate_interval])))", q.at, name, labels)
		all = append(all, query{expr, q.legend})
	}
	return all
}

// rate is the sum of a counter's rate by a label.
func rate(name, by string) query {
	return query{fmt.Sprintf("sum by (%s) (rate(%s[$__rate_interval]))", by, name), "{{" + by + "}}"}
}

func orders() board {
	return board{"orders", "Orderbell: orders on their way", "From the commit of an order to the mail, hop by hop.", []row{
		{"Orders taken", []panel{
			{"Requests to the APIs", "By status.", "reqps", 0, []query{
				{`sum by (status) (rate(orderbell_http_request_duration_seconds_count{route=~"/api/.*"}[$__rate_interval]))`, "{{status}}"},
			}},
			{"Answers with 5xx", "Alert OrderbellAPIErrors.", "percentunit", 0.05, []query{{
				`(sum(rate(orderbell_http_request_duration_seconds_count{route=~"/api/.*",status=~"5.."}[$__rate_interval])) or vector(0)) ` +
					`/ sum(rate(orderbell_http_request_duration_seconds_count{route=~"/api/.*"}[$__rate_interval]))`, "5xx",
			}}},
			{"Time of POST /api/orders", "", "s", 0, quantiles("orderbell_http_request_duration_seconds", `route="/api/orders",method="POST"`)},
		}},
		{"Outbox to Kafka", []panel{
			{"Oldest event in the outbox", "Alert OrderbellRelayStuck.", "s", 30, []query{{"max(orderbell_outbox_oldest_unsent_seconds)", "oldest"}}},
			{"Commit to Kafka", "", "s", 1, quantiles("orderbell_outbox_wait_seconds", "")},
			{"Events sent", "By type.", "cps", 0, []query{rate("orderbell_outbox_sent_events_total", "type")}},
		}},
		{"Functions", []panel{
			{"Consumer lag", "Alert OrderbellConsumerLag.", "short", 1000, []query{
				{"sum by (group) (max by (group, partition) (orderbell_consumer_lag))", "{{group}}"},
			}},
			{"Deliveries by outcome", "", "cps", 0, []query{rate("orderbell_events_total", "outcome")}},
			{"Time of an event", "", "s", 0, quantiles("orderbell_event_duration_seconds", "")},
			{"Redis publishes", "Errors: alert OrderbellRedisErrors.", "cps", 0, []query{rate("orderbell_redis_publish_duration_seconds_count", "outcome")}},
			{"Open dead letters", "By the kind of their reason.", "short", 0, []query{{"max by (reason) (orderbell_dead_letters_open)", "{{reason}}"}}},
			{"Days with partitions", "Sweeps keep 7. Below 4: alert OrderbellDaysMissing.", "short", 0, []query{{"min(orderbell_event_records_days_ahead)", "days"}}},
		}},
		{"Mail", []panel{
			{"Mails", "By outcome.", "cps", 0, []query{rate("orderbell_mail_total", "outcome")}},
			{"Oldest due mail", "Alert OrderbellMailsLate.", "s", 900, []query{{"max(orderbell_mails_oldest_waiting_seconds)", "oldest"}}},
			{"Due mails", "", "short", 0, []query{{"max(orderbell_mails_waiting)", "due"}}},
		}},
		{"orderbell verify", []panel{
			{"Lost or duplicated", "By the last run.", "short", 1, []query{{"max(orderbell_verify_offenders)", "offenders"}}},
			{"Checks skipped", "By the last run.", "short", 1, []query{{"max(orderbell_verify_skipped_checks)", "skipped"}}},
			{"Age of the last run", "Alert OrderbellVerifyOverdue.", "s", 26 * 3600, []query{{"time() - max(orderbell_verify_last_run_timestamp_seconds)", "age"}}},
		}},
	}}
}

func gateway() board {
	return board{"gateway", "Orderbell: sse-gateway", "Streams of browsers and tills.", []row{
		{"Streams", []panel{
			{"Open streams", "By instance.", "short", 0, []query{{"sum by (instance) (orderbell_sse_connections)", "{{instance}}"}}},
			{"Places taken", "Of the fullest instance. Alert OrderbellGatewayNearlyFull.", "percentunit", 0.8, []query{
				{"max(orderbell_sse_connections / orderbell_sse_max_connections)", "fullest"},
			}},
			{"Refusals", "By reason.", "cps", 0, []query{rate("orderbell_sse_refusals_total", "reason")}},
			{"Ends", "slow and stalled are evictions.", "cps", 0, []query{rate("orderbell_sse_stream_ends_total", "reason")}},
			{"Frames", "", "cps", 0, []query{{"sum(rate(orderbell_sse_deliveries_total[$__rate_interval]))", "frames"}}},
			{"Resumes and resyncs", "", "cps", 0, []query{
				{"sum(rate(orderbell_sse_resumes_total[$__rate_interval]))", "resumed"},
				{"sum(rate(orderbell_sse_resyncs_total[$__rate_interval]))", "sent to the snapshot"},
			}},
		}},
		{"Feed", []panel{
			{"Tenants that are not live", "", "short", 1, []query{{"sum(orderbell_sse_degraded_tenants)", "tenants"}}},
			{"Holes read", "Messages that pub/sub lost, read from the stream.", "cps", 0, []query{{"sum(rate(orderbell_sse_holes_read_total[$__rate_interval]))", "holes"}}},
			{"Streams that Redis lost", "", "cps", 0, []query{{"sum(rate(orderbell_sse_streams_lost_total[$__rate_interval]))", "lost"}}},
		}},
		{"Memory", []panel{
			{"Budget used", "Of the fullest instance.", "percentunit", 0, []query{{
				"max((orderbell_sse_tenant_log_bytes + orderbell_sse_stream_bytes + orderbell_sse_unsent_bytes) / orderbell_sse_memory_budget_bytes)", "fullest",
			}}},
			{"What takes it", "", "bytes", 0, []query{
				{"sum(orderbell_sse_tenant_log_bytes)", "logs"}, {"sum(orderbell_sse_stream_bytes)", "streams"}, {"sum(orderbell_sse_unsent_bytes)", "unsent"},
			}},
			{"Logs dropped and cut", "", "cps", 0, []query{
				{"sum(rate(orderbell_sse_logs_dropped_total[$__rate_interval]))", "dropped"},
				{"sum(rate(orderbell_sse_logs_trimmed_total[$__rate_interval]))", "cut"},
			}},
		}},
	}}
}

func programs() board {
	return board{"programs", "Orderbell: programs", "What each program uses.", []row{
		{"Instances", []panel{
			{"Up", "Scraped instances by program.", "short", 0, []query{{`sum by (program) (up{program=~".+"})`, "{{program}}"}}},
			{"Processor", "As Go estimates it at each garbage collection.", "short", 0, []query{
				{"sum by (program) (rate(orderbell_runtime_cpu_seconds_total[$__rate_interval]))", "{{program}}"},
			}},
			{"Memory", "", "bytes", 0, []query{{"sum by (program) (orderbell_runtime_memory_bytes)", "{{program}}"}}},
			{"Goroutines", "", "short", 0, []query{{"sum by (program) (orderbell_runtime_goroutines)", "{{program}}"}}},
			{"Refused connections", "By a limit of connections.", "cps", 0, []query{
				{"sum by (program) (rate(orderbell_http_refused_total[$__rate_interval]))", "{{program}}"},
			}},
			{"Age of keys", "Of tokens. Alert OrderbellKeysOld.", "s", 900, []query{{"max by (tokens) (orderbell_auth_keys_age_seconds)", "{{tokens}}"}}},
		}},
		{"Pools", []panel{
			{"PostgreSQL connections", "", "short", 0, []query{{"sum by (program, state) (orderbell_database_connections)", "{{program}} {{state}}"}}},
			{"Wait for a connection", "Seconds per second.", "short", 0, []query{
				{"sum by (program) (rate(orderbell_database_acquire_wait_seconds_total[$__rate_interval]))", "{{program}}"},
			}},
			{"Redis connections", "", "short", 0, []query{{"sum by (program, state) (orderbell_redis_connections)", "{{program}} {{state}}"}}},
		}},
	}}
}
