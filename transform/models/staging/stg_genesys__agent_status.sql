{{ config(enabled=var('using_agent_status')) }}

with current_rows as (
{{ current_rows_of('agent_status') }}
)
select
  {{ organization('r') }}r.user_id,
  {{ looked_up('users', 'name') }} as user_name,
  r.qualifier,
  {{ looked_up('presence_definitions', 'name') }} as presence_name,
  r.interval_start,
  r.interval_end,
  {{ local_day('r.interval_start') }} as local_day,
  r.t_agent_routing_status_sum,
  r.t_organization_presence_sum,
  r.t_system_presence_sum,
  r.is_final,
  r.extracted_at
from current_rows as r
{{ join_lookup('users', 'user_id') }}
{{ join_lookup('presence_definitions', 'qualifier') }}
