{{ config(enabled=var('using_queue_performance')) }}

with current_rows as (
{{ current_rows_of('queue_performance') }}
)
select
  {{ organization('r') }}r.queue_id,
  {{ looked_up('queues', 'name') }} as queue_name,
  {{ looked_up('queues', 'division_name') }} as division_name,
  r.media_type,
  r.interval_start,
  r.interval_end,
  {{ local_day('r.interval_start') }} as local_day,
  '{{ var("genesys_time_zone") }}' as time_zone,
  {%- for column in queue_totals().values() %}
  r.{{ column }},
  {%- endfor %}
  r.o_service_level_target,
  r.is_final,
  r.extracted_at
from current_rows as r
{{ join_lookup('queues', 'queue_id') }}
