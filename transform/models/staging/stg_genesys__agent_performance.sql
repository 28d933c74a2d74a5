{{ config(enabled=var('using_agent_performance')) }}

with current_rows as (
{{ current_rows_of('agent_performance') }}
)
select
  {{ organization('r') }}r.user_id,
  {{ looked_up('users', 'name') }} as user_name,
  r.queue_id,
  r.media_type,
  r.interval_start,
  r.interval_end,
  {{ local_day('r.interval_start') }} as local_day,
  {%- for column in agent_totals().values() %}
  r.{{ column }},
  {%- endfor %}
  r.is_final,
  r.extracted_at
from current_rows as r
{{ join_lookup('users', 'user_id') }}
