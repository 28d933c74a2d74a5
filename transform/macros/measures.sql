{#- The measures, each written once. To add one, see docs/kpis.md. -#}

{#- Totals of queues: name of the measure -> column of queue_performance. They may be added up. -#}
{% macro queue_totals() %}
  {% do return({
    'offered': 'n_offered_count',
    'answered': 't_answered_count',
    'abandoned': 't_abandon_count',
    'short_abandoned': 't_short_abandon_count',
    'flowed_out': 't_flow_out_count',
    'waited': 't_wait_count',
    'answered_late': 'n_over_sla_count',
    'handled': 't_handle_count',
    'talked': 't_talk_complete_count',
    'held': 't_held_complete_count',
    'after_call_worked': 't_acw_count',
    'connected': 'n_connected_count',
    'outbound': 'n_outbound_count',
    'transferred': 'n_transferred_count',
    'blind_transferred': 'n_blind_transferred_count',
    'consult_transferred': 'n_consult_transferred_count',
    'errors': 'n_error_count',
    'service_level_numerator': 'o_service_level_numerator',
    'service_level_denominator': 'o_service_level_denominator',
    'answer_milliseconds': 't_answered_sum',
    'abandon_milliseconds': 't_abandon_sum',
    'flow_out_milliseconds': 't_flow_out_sum',
    'wait_milliseconds': 't_wait_sum',
    'handle_milliseconds': 't_handle_sum',
    'talk_milliseconds': 't_talk_complete_sum',
    'hold_milliseconds': 't_held_complete_sum',
    'after_call_work_milliseconds': 't_acw_sum',
    'dialing_milliseconds': 't_dialing_sum',
    'contacting_milliseconds': 't_contacting_sum',
  }) %}
{% endmacro %}

{#- Totals of agents: name of the measure -> column of agent_performance. They may be added up. -#}
{% macro agent_totals() %}
  {% do return({
    'answered': 't_answered_count',
    'handled': 't_handle_count',
    'talked': 't_talk_complete_count',
    'held': 't_held_complete_count',
    'after_call_worked': 't_acw_count',
    'alerted': 't_alert_count',
    'not_responded': 't_not_responding_count',
    'connected': 'n_connected_count',
    'outbound': 'n_outbound_count',
    'transferred': 'n_transferred_count',
    'handle_milliseconds': 't_handle_sum',
    'talk_milliseconds': 't_talk_complete_sum',
    'hold_milliseconds': 't_held_complete_sum',
    'after_call_work_milliseconds': 't_acw_sum',
  }) %}
{% endmacro %}

{#- A quotient of two totals; null if there is nothing to divide by. -#}
{% macro ratio(numerator, denominator) -%}
  cast({{ numerator }} as {{ genesys_aggregates.double() }}) / nullif({{ denominator }}, 0)
{%- endmacro %}

{#- An average in seconds: milliseconds over their own count. -#}
{% macro average_seconds(milliseconds, count) -%}
  {{ genesys_aggregates.ratio(milliseconds, count) }} / 1000
{%- endmacro %}

{#- What is divided out of the totals of queues, at any grain. -#}
{% macro queue_ratios() %}
  {{ genesys_aggregates.ratio('answered', 'offered') }} as answer_rate,
  {{ genesys_aggregates.ratio('abandoned', 'offered') }} as abandon_rate,
  {{ genesys_aggregates.ratio('flowed_out', 'offered') }} as flow_out_rate,
  {{ genesys_aggregates.ratio('service_level_numerator', 'service_level_denominator') }} as service_level,
  {{ genesys_aggregates.average_seconds('answer_milliseconds', 'answered') }} as average_speed_of_answer_seconds,
  {{ genesys_aggregates.average_seconds('wait_milliseconds', 'waited') }} as average_wait_seconds,
  {{ genesys_aggregates.handling_ratios() }}
{% endmacro %}

{#- What queues and agents have in common. -#}
{% macro handling_ratios() -%}
  {{ genesys_aggregates.average_seconds('handle_milliseconds', 'handled') }} as average_handle_seconds,
  {{ genesys_aggregates.average_seconds('talk_milliseconds', 'talked') }} as average_talk_seconds,
  {{ genesys_aggregates.average_seconds('hold_milliseconds', 'held') }} as average_hold_seconds,
  {{ genesys_aggregates.average_seconds('after_call_work_milliseconds', 'after_call_worked') }}
    as average_after_call_work_seconds,
  {{ genesys_aggregates.ratio('transferred', 'connected') }} as transfer_rate
{%- endmacro %}

{#- Each total of a macro as a sum over the rows of a group. -#}
{% macro summed(totals) %}
  {%- for name, column in totals.items() %}
  coalesce(sum({{ column }}), 0) as {{ name }}
  {%- if not loop.last %},{% endif %}
  {%- endfor %}
{% endmacro %}
