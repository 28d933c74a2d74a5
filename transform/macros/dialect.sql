{#- What differs between databases. PostgreSQL and DuckDB are tested; the others are compiled and not run.
    Instants are stored in UTC, without a zone where the database has such a type. -#}

{% macro double() %}{{ return(adapter.dispatch('double', 'genesys_aggregates')()) }}{% endmacro %}
{% macro default__double() %}double precision{% endmacro %}
{% macro bigquery__double() %}float64{% endmacro %}
{% macro databricks__double() %}double{% endmacro %}

{% macro local_day(instant) %}
  {{- return(adapter.dispatch('local_day', 'genesys_aggregates')(instant, var('genesys_time_zone'))) -}}
{% endmacro %}
{% macro default__local_day(instant, zone) -%}
  cast({{ instant }} at time zone 'UTC' at time zone '{{ zone }}' as date)
{%- endmacro %}
{% macro snowflake__local_day(instant, zone) -%}
  cast(convert_timezone('UTC', '{{ zone }}', {{ instant }}) as date)
{%- endmacro %}
{% macro bigquery__local_day(instant, zone) -%}
  date({{ instant }}, '{{ zone }}')
{%- endmacro %}
{% macro databricks__local_day(instant, zone) -%}
  cast(from_utc_timestamp({{ instant }}, '{{ zone }}') as date)
{%- endmacro %}

{% macro now_in_utc() %}{{ return(adapter.dispatch('now_in_utc', 'genesys_aggregates')()) }}{% endmacro %}
{% macro default__now_in_utc() %}cast(now() at time zone 'UTC' as timestamp){% endmacro %}
{% macro snowflake__now_in_utc() %}sysdate(){% endmacro %}
{% macro bigquery__now_in_utc() %}current_timestamp(){% endmacro %}
{% macro databricks__now_in_utc() %}current_timestamp(){% endmacro %}

{#- An instant of a column with a time zone, as the marts store it. -#}
{% macro in_utc(instant) %}{{ return(adapter.dispatch('in_utc', 'genesys_aggregates')(instant)) }}{% endmacro %}
{% macro default__in_utc(instant) %}cast({{ instant }} at time zone 'UTC' as timestamp){% endmacro %}
{% macro snowflake__in_utc(instant) %}cast(convert_timezone('UTC', {{ instant }}) as timestamp_ntz){% endmacro %}
{% macro bigquery__in_utc(instant) %}{{ instant }}{% endmacro %}
{% macro databricks__in_utc(instant) %}{{ instant }}{% endmacro %}
